use std::convert::Infallible;

use rearguard::scope;

pub(crate) fn main() {
    let Ok(n) = scope(|s| -> Result<u32, Infallible> {
        s.defer_with(|exit| {
            if let Some(Ok(n)) = exit.result() {
                *n *= 2;
            }
        });
        Ok(21)
    });
    println!("{n}");
}
