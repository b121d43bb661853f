use rearguard::scope;

pub(crate) fn main() {
    scope(|s| {
        for i in 0..5 {
            s.defer(move || println!("{i}"));
        }
    });
}
