use rearguard::scope;

pub(crate) fn main() {
    scope::<()>(|s| {
        s.defer(|| println!("deferred"));
        panic!("boom");
    });
}
