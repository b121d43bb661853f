use rearguard::scope_reported;

pub(crate) fn main() {
    let ended = scope_reported("work", |s| -> Result<(), String> {
        s.defer(|| println!("oldest cleanup"));
        s.defer(|| panic!("second"));
        panic!("first")
    });
    for failure in ended.report.failures() {
        println!("in the report: {:?}", failure.kind);
    }
    let result = ended.recover(|panic| Err(panic.message().to_owned())).into_returned();
    println!("recovered: {result:?}");
}
