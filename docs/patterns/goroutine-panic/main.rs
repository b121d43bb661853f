use rearguard::{Options, scope_async};

#[tokio::main(flavor = "current_thread")]
pub(crate) async fn main() {
    let ended = scope_async(Options::new(), async |s| -> Result<(), String> {
        s.defer(async { println!("parent's cleanup") });
        let child = s.spawn(async {
            rearguard::defer! { println!("child's cleanup") }
            panic!("child");
        });
        child.await.map_err(|error| error.to_string())
    })
    .await;
    println!("in the report: {:?}", ended.report.children()[0].message);
    println!("result: {:?}", ended.into_returned());
}
