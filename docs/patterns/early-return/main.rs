use rearguard::scope;

fn work() -> Result<(), String> {
    scope(|s| {
        s.defer(|| println!("first cleanup"));
        Err("not found")?;
        s.defer(|| println!("never registered"));
        Ok(())
    })
}

pub(crate) fn main() {
    println!("result: {:?}", work());
}
