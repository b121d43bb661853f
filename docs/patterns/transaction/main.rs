use std::{convert::Infallible, io};

use rearguard::{Options, Outcome, ScopeError, scope_async};

struct Transaction;

impl Transaction {
    async fn begin() -> Result<Self, Infallible> {
        Ok(Self)
    }

    async fn end(self, outcome: Outcome) -> io::Result<()> {
        match outcome {
            Outcome::Succeeded => println!("commit"),
            _ => println!("rollback"),
        }
        Ok(())
    }
}

async fn transfer(funds: u32) -> Result<(), ScopeError<&'static str>> {
    scope_async(Options::new(), async |s| {
        let Ok(_transaction) = s.acquire(Transaction::begin(), Transaction::end).await;
        if funds < 10 {
            return Err("no funds");
        }
        Ok(())
    })
    .await
    .into_result() // a commit that fails is an error, too
}

#[tokio::main(flavor = "current_thread")]
pub(crate) async fn main() {
    println!("{:?}", transfer(50).await);
    println!("{:?}", transfer(5).await);
}
