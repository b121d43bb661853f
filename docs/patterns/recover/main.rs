use rearguard::scope;

fn parse(digits: &[u32]) -> Result<u32, String> {
    scope(|s| {
        s.defer_with(|exit| println!("older cleanup sees: {:?}", exit.result()));
        s.recover(|panic| Err(format!("recovered: {}", panic.message())));
        Ok(digits[0] + digits[2])
    })
}

pub(crate) fn main() {
    println!("{:?}", parse(&[1, 2]));
}
