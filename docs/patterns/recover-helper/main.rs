use rearguard::{Exit, Panic, scope};

fn handle(panic: Panic) {
    println!("recovered: {}", panic.message());
}

fn direct() {
    scope(|s| {
        s.recover(handle);
        panic!("first");
    });
}

fn indirect() {
    scope(|s| {
        // However deep it is called: the scope's exit is handed down, not looked for.
        s.defer_with(|exit: &mut Exit<()>| exit.recover(handle));
        panic!("second");
    });
}

pub(crate) fn main() {
    direct();
    indirect();
}
