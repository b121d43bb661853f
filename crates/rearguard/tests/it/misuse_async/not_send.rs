//! A cleanup may go on in another thread.

use std::rc::Rc;

use rearguard::OwnedScope;

fn main() {
    let shared = Rc::new(1);
    let mut scope = OwnedScope::new();
    scope.defer(async move { drop(shared) });
}
