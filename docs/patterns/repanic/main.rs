use rearguard::scope;

pub(crate) fn main() {
    scope::<()>(|s| {
        s.defer_with(|exit| {
            // Looking does not end it, so there is nothing to raise again.
            if let Some(panic) = exit.panic() {
                println!("seen: {}", panic.message());
            }
        });
        panic!("boom");
    });
}
