use super::*;

fn names<'p>(profile: &'p Profile, sample: &Sample) -> Vec<(&'p str, u32)> {
    sample.stack.iter().map(|frame| (profile.function(*frame).name.as_str(), frame.line)).collect()
}

#[test]
fn a_dump_has_states_minutes_and_calls_without_arguments() {
    let text = "\
panic: out of luck

goroutine 18 [chan receive, 5 minutes, locked to thread]:
main.(*conn).Close(...)
\t/app/conn.go:24
main.handle.func1({0xc00, 0x2}, 0x7?)
\t/app/main.go:12 +0x1d
panic({0x1?, 0x2?})
\t/go/src/runtime/panic.go:859 +0x132
main.pick[...](0x1)
\t/app/main.go:30 +0x1d
created by main.main in goroutine 1
\t/app/main.go:40 +0x1d

goroutine 7 gp=0xc000002380 m=nil [select (no cases)] {\"route\":\"/pay \\\"x\\\"\"}:
main.park()
\t/app/main.go:50 +0x1d
...additional frames elided...

goroutine 1 [running]:
main.main()
\tC:/app/main.go:5 +0x1d
";
    assert!(looks_like_one(text.as_bytes()));
    let profile = read(text).unwrap();
    assert_eq!(profile.kind, Kind::Goroutine);
    let [first, second, third] = profile.samples.as_slice() else { panic!("{profile:?}") };
    let reason = "chan receive".to_owned();
    assert_eq!(first.wait, Wait::For { reason, minutes: Some(5) });
    assert_eq!(
        names(&profile, first),
        [
            ("main.(*conn).Close", 24),
            ("main.handle.func1", 12),
            ("runtime.gopanic", 859),
            ("main.pick[...]", 30)
        ]
    );
    let reason = "select (no cases)".to_owned();
    assert_eq!(second.wait, Wait::For { reason, minutes: None });
    assert_eq!(second.labels, [("route".to_owned(), "/pay \"x\"".to_owned())]);
    assert_eq!(third.wait, Wait::Running);
    assert_eq!(profile.function(third.stack[0]).file, "C:/app/main.go");
}

#[test]
fn equal_stacks_are_counted_and_leaks_are_told_apart() {
    let text = "\
goroutineleak profile: total 7
7 @ 0x48830a 0x416c3c
# labels: {\"job\":\"mail\"}
#\t0x5913fd\tmain.fetch.func1+0x1d\t/app/leak.go:9
#\t0x5913fe\tmain.run+0x1d\t\t/app/leak.go:12

";
    let profile = read(text).unwrap();
    assert_eq!((profile.kind, profile.total()), (Kind::GoroutineLeak, 7));
    let sample = &profile.samples[0];
    assert_eq!(names(&profile, sample), [("main.fetch.func1", 9), ("main.run", 12)]);
    assert_eq!(sample.labels, [("job".to_owned(), "mail".to_owned())]);
    assert_eq!(sample.wait, Wait::Unknown);
}

#[test]
fn text_without_goroutines_is_an_error_that_says_what_was_expected() {
    let error = read("hello\n").unwrap_err().to_string();
    assert!(error.contains("expected paragraphs such as"), "{error}");
    assert!(!looks_like_one(b"goroutine running\n3 @ home\n"));
}
