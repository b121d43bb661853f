//! Stacks written by hand beside a source, for what the compiler may do and a real program does not
//! show at will.

use super::{
    super::{Question, Report, by_hand::goroutines, join::Join},
    *,
};

/// The line of the `defer` that the innermost call of a stack is, 0 where only the call is known.
fn deferred_line(source: &str, stack: &[(&str, u32)]) -> Option<u32> {
    let source = SourceIndex::new(&[("pay.go", source)]);
    let profile = goroutines(&[stack]);
    let stack = &profile.samples[0].stack;
    let call = Join::new(&profile, Some(&source)).deferred(stack, stack.len())?;
    Some(call.site.map_or(0, |site| site.line))
}

#[test]
fn a_callee_from_the_closing_line_is_deferred_and_from_other_lines_is_not() {
    let source = "package pay\n\nfunc f() {\n\tdefer x.Close()\n\tx.Close()\n}\n\nfunc g() {\n\tx.Close()\n}\n";
    for (caller, line, expected) in
        [("pay.f", 6, Some(4)), ("pay.f", 5, None), ("pay.g", 10, None), ("pay.g", 9, None)]
    {
        let found = deferred_line(source, &[("pay.(*X).Close", 99), (caller, line)]);
        assert_eq!(found, expected, "{caller}:{line}");
    }
}

#[test]
fn on_a_line_with_other_calls_the_name_decides() {
    let source = "package pay\n\nfunc f() { defer x.Close(); work() }\n\nfunc g() error {\n\tdefer x.Close()\n\treturn x.Close()\n}\n\nfunc h() error {\n\tdefer x.Close()\n\treturn work()\n}\n\nfunc k() error {\n\tdefer x.Close()\n\treturn nil\n}\n";
    for (callee, caller, line, expected) in [
        ("pay.(*X).Close", "pay.f", 3, Some(3)),
        ("pay.work", "pay.f", 3, None),
        ("pay.(*X).Close", "pay.g", 7, None),
        ("pay.(*X).Close", "pay.h", 12, Some(11)),
        ("pay.work", "pay.h", 12, None),
        ("pay.(*X).Close", "pay.k", 17, Some(16)),
        ("runtime.convT", "pay.k", 17, None),
    ] {
        assert_eq!(
            deferred_line(source, &[(callee, 99), (caller, line)]),
            expected,
            "{callee} of {caller}"
        );
    }
}

#[test]
fn a_deferred_literal_and_a_wrapper_are_deferred_wherever_the_caller_stands() {
    let source = "package pay\n\nfunc f() {\n\tdefer func() {\n\t\twork()\n\t}()\n\tfunc() {\n\t\twork()\n\t}()\n}\n";
    let stack = [("pay.work", 99), ("pay.f.func1", 5), ("pay.f", 10)];
    assert_eq!(deferred_line(source, &stack), Some(4));
    let stack = [("pay.work", 99), ("pay.f.func2", 8), ("pay.f", 9)];
    assert_eq!(deferred_line(source, &stack), None);
    let stack = [("pay.work", 99), ("pay.f.deferwrap1", 4), ("pay.f", 10)];
    assert!(deferred_line(source, &stack).is_some());
}

#[test]
fn a_source_that_has_changed_is_not_believed() {
    let source = "package pay\n\nfunc renamed() {\n\tdefer x.Close()\n}\n";
    let stack = [("pay.(*X).Close", 99), ("pay.f", 5)];
    assert_eq!(deferred_line(source, &stack), None);
    let index = SourceIndex::new(&[("pay.go", source)]);
    let profile = goroutines(&[&stack]);
    let question = Question { profile: &profile, source: Some(&index), base: None, findings: &[] };
    let notes = Report::new(&question).notes;
    assert!(notes.iter().any(|note| note.contains("has 0 of the 2 functions")), "{notes:?}");
}

#[test]
fn a_panic_runs_defers_without_any_source() {
    let profile = goroutines(&[&[
        ("pay.(*X).Close", 9),
        ("runtime.gopanic", 859),
        ("pay.f", 4),
        ("pay.main", 2),
    ]]);
    let stack = &profile.samples[0].stack;
    let call = Join::new(&profile, None).deferred(stack, stack.len()).unwrap();
    assert!(call.by_panic && call.at == 0, "{call:?}");
}

const LOCKS: &str = "\
package pay

type server struct{ mu sync.Mutex }

func (s *server) early(bad bool) {
\ts.mu.Lock()
\tif bad {
\t\ts.mu.Unlock()
\t\treturn
\t}
\twork()
\ts.mu.Unlock()
\twork()
}

func (s *server) literal() {
\ts.mu.Lock()
\tdefer func() {
\t\ts.mu.Unlock()
\t}()
\tdefer work()
\tgo func() {
\t\twork()
\t}()
}

func after() {
\ts := &server{}
\ts.mu.Lock()
\tdefer work()
\tdefer s.mu.Unlock()
}
";

#[test]
fn a_lock_is_held_from_lock_to_unlock_and_through_defers_that_run_before_it() {
    let source = SourceIndex::new(&[("pay.go", LOCKS)]);
    let held = |line: u32, running: Option<u32>| {
        let function = source.at("pay.go", line).unwrap().function;
        function.held_at(line, running).iter().map(|lock| lock.key.clone()).collect::<Vec<_>>()
    };
    let mu = ["pay.server.mu".to_owned()];
    assert_eq!(held(11, None), mu);
    assert_eq!(held(13, None), [""; 0]);
    // The deferred `work` runs before the literal that unlocks, or after it.
    assert_eq!(held(25, Some(21)), mu);
    assert_eq!(held(32, Some(30)), [""; 0]);
    // What `go` starts holds nothing.
    assert_eq!(held(23, None), [""; 0]);
}

fn function(name: &str, file: &str, first_line: u32) -> Function {
    Function { name: name.to_owned(), file: file.to_owned(), first_line }
}

#[test]
fn files_are_found_by_the_ends_of_their_paths() {
    let text = "package pay\n\nfunc f() {\n}\n";
    let source = SourceIndex::new(&[("a/pay/pay.go", text), ("b/pay/pay.go", text)]);
    for (file, found) in [
        ("/srv/x/b/pay/pay.go", Some("b/pay/pay.go")),
        ("C:\\x\\a\\pay\\pay.go", Some("a/pay/pay.go")),
        ("/srv/x/other.go", None),
    ] {
        let at = source.find(&function("example.com/pay.f", file, 0), 3).map(|found| found.path);
        assert_eq!(at, found, "{file}");
    }
    assert!(source.find(&function("net/http.f", "/go/src/net/http/pay.go", 0), 3).is_none());
    // Begins on another line than it did where it was built.
    let found =
        |first_line| source.find(&function("pay.f", "b/pay/pay.go", first_line), 3).is_some();
    assert_eq!((found(3), found(4)), (true, false));
}

const NAMES: &str = "\
package pay

type cache struct {
\tsync.RWMutex
\tmu sync.Mutex
}

type server struct {
\tcache *cache
\tbase
}

type base struct{ mu sync.Mutex }

var shared = &cache{}

var global sync.Mutex

func newServer() (*server, error) { return nil, nil }

func f(c *cache, s *server, mu *sync.Mutex) {
\tc.mu.Lock()
\ts.cache.mu.Lock()
\tshared.mu.Lock()
\tnewer, err := newServer()
\tnewer.cache.mu.Lock()
\tc.RLock()
\ts.cache.RWMutex.Lock()
\ts.mu.Lock()
\ts.base.mu.Lock()
\tglobal.Lock()
\tmu.Lock()
}
";

#[test]
fn one_lock_has_one_name_however_it_is_reached() {
    let source = SourceIndex::new(&[("pay.go", NAMES)]);
    let function = source.at("pay.go", 21).unwrap().function;
    let keys: Vec<_> = function.locks.iter().map(|lock| lock.key.as_str()).collect();
    let expected = [
        ["pay.cache.mu"; 4].as_slice(),
        &["pay.cache"; 2],
        &["pay.base.mu"; 2],
        &["pay.global", "pay.f, its mu"],
    ];
    assert_eq!(keys, expected.concat());
}
