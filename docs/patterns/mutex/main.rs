use std::sync::Mutex;

use rearguard::{Outcome, scope};

#[derive(Clone, Debug)]
struct Account {
    balance: u32,
    spent: u32,
}

fn pay(account: &Mutex<Account>, amount: u32) -> Result<(), String> {
    scope(|s| {
        s.recover(|panic| Err(panic.message().to_owned()));
        let locked = account.lock().map_err(|error| error.to_string())?;
        let before = locked.clone();
        // The undo has the lock, and unlocks last.
        let account = s.hold(locked, |mut account, exit| {
            if exit.outcome() != Outcome::Succeeded {
                *account = before;
            }
        });
        account.balance -= amount;
        assert!(amount <= 50, "over the limit");
        account.spent += amount;
        Ok(())
    })
}

pub(crate) fn main() {
    let account = Mutex::new(Account { balance: 100, spent: 0 });
    println!("{:?}", pay(&account, 80));
    println!("{:?}", account.lock());
}
