//! A cleanup's value would be lost.

use rearguard::OwnedScope;

fn main() {
    let mut scope = OwnedScope::new();
    scope.defer(async { 7 });
    scope.defer_with(|_| async { Ok::<u8, String>(7) });
}
