use rearguard::scope;

fn load(name: &str) -> Result<(), String> {
    scope(|s| {
        s.recover(|panic| Err(panic.message().to_owned()));
        s.defer_with(|exit| println!("span of {name} ends, {}", exit.outcome()));
        match name {
            "missing" => Err("not found".to_owned()),
            "corrupt" => panic!("corrupt"),
            _ => Ok(()),
        }
    })
}

pub(crate) fn main() {
    drop(load("good"));
    drop(load("missing"));
    drop(load("corrupt"));
}
