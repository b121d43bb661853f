//! Which function on a stack is the handler of the request.

use super::{Frame, join::Join, symbol};

/// The frame of the handler: the innermost one that `net/http` or gRPC serves by; else the
/// outermost function that is of no library.
pub(super) fn handler(join: &mut Join<'_>, stack: &[Frame]) -> Option<usize> {
    served(join, stack).or_else(|| outermost(join, stack))
}

/// The frame of the handler of a request, where the goroutine serves one. A router that calls its
/// handlers by itself is no handler: of what it calls, the first function of the source is.
pub(super) fn served(join: &mut Join<'_>, stack: &[Frame]) -> Option<usize> {
    let at = served_by_http(join, stack).or_else(|| served_by_grpc(join, stack))?;
    if join.found(stack[at]).is_some() {
        return Some(at);
    }
    let inner = (0..at).rev().find(|&inner| is_of_the_source(join, stack[inner]));
    Some(inner.unwrap_or(at))
}

/// The handler of an HTTP request: middleware calls further handlers, so the innermost counts.
fn served_by_http(join: &Join<'_>, stack: &[Frame]) -> Option<usize> {
    let is_serve = |name: &str| name.ends_with(".ServeHTTP");
    (0..stack.len()).find(|&at| {
        let name = join.symbol(stack[at]);
        if symbol::is_standard(name) {
            return false;
        }
        let caller = stack.get(at + 1).map(|frame| join.symbol(*frame));
        is_serve(name) || caller == Some("net/http.HandlerFunc.ServeHTTP")
    })
}

/// The method of a gRPC service: the generated `_Service_Method_Handler` calls it, through
/// interceptors and a literal of its own.
fn served_by_grpc(join: &Join<'_>, stack: &[Frame]) -> Option<usize> {
    let is_generated = |name: &str| symbol::short(name).contains("._") && name.contains("_Handler");
    let innermost = stack.iter().position(|frame| is_generated(join.symbol(*frame)))?;
    (0..innermost).rev().find(|&at| !symbol::is_standard(join.symbol(stack[at])))
}

/// The outermost function of the source; without one, of neither the standard library nor a module
/// that serves.
fn outermost(join: &mut Join<'_>, stack: &[Frame]) -> Option<usize> {
    let in_source = (0..stack.len()).rev().find(|&at| is_of_the_source(join, stack[at]));
    in_source.or_else(|| {
        (0..stack.len()).rev().find(|&at| {
            let name = join.symbol(stack[at]);
            !symbol::is_standard(name) && !name.starts_with("google.golang.org/grpc.")
        })
    })
}

fn is_of_the_source(join: &mut Join<'_>, frame: Frame) -> bool {
    join.found(frame).is_some() && !symbol::is_standard(join.symbol(frame))
}

#[cfg(test)]
mod tests {
    use super::{
        super::{SourceIndex, by_hand::goroutines},
        *,
    };

    /// The handler of a stack, the innermost call first.
    fn handler_of(stack: &[&str], source: Option<&str>) -> Option<String> {
        let calls: Vec<_> = stack.iter().map(|name| (*name, 3)).collect();
        let profile = goroutines(&[&calls]);
        let source = source.map(|text| SourceIndex::new(&[("pay.go", text)]));
        let mut join = Join::new(&profile, source.as_ref());
        let stack = &profile.samples[0].stack;
        handler(&mut join, stack).map(|at| join.symbol(stack[at]).to_owned())
    }

    #[test]
    fn the_handler_is_what_serves_and_not_what_wraps_or_routes() {
        let http = ["net/http.serverHandler.ServeHTTP", "net/http.(*conn).serve"];
        let mux = [
            "main.work",
            "main.pay",
            "net/http.HandlerFunc.ServeHTTP",
            "main.logging.func1",
            "net/http.HandlerFunc.ServeHTTP",
            "net/http.(*ServeMux).ServeHTTP",
        ];
        let methods = ["main.work", "main.(*shop).ServeHTTP", "net/http.StripPrefix.func1"];
        for (calls, expected) in [(&mux[..], "main.pay"), (&methods, "main.(*shop).ServeHTTP")] {
            assert_eq!(handler_of(&[calls, &http].concat(), None).as_deref(), Some(expected));
        }
        let gin = [
            "main.work",
            "main.pay",
            "github.com/gin-gonic/gin.(*Context).Next",
            "github.com/gin-gonic/gin.(*Engine).ServeHTTP",
        ];
        let source = "package main\nfunc pay() {\n work()\n}\n";
        let found = handler_of(&[&gin[..], &http].concat(), Some(source));
        assert_eq!(found.as_deref(), Some("main.pay"));
    }

    #[test]
    fn a_grpc_method_is_a_handler_behind_its_interceptors() {
        let stack = [
            "main.work",
            "main.(*server).Charge",
            "example.com/pb._Pay_Charge_Handler.func1",
            "main.intercept",
            "example.com/pb._Pay_Charge_Handler",
            "google.golang.org/grpc.(*Server).processUnaryRPC",
        ];
        assert_eq!(handler_of(&stack, None).as_deref(), Some("main.(*server).Charge"));
    }

    #[test]
    fn a_goroutine_that_serves_nobody_has_its_outermost_function() {
        let stack = ["runtime.gopark", "example.com/queue.(*Q).pop", "main.worker.func1"];
        assert_eq!(handler_of(&stack, None).as_deref(), Some("main.worker.func1"));
        assert_eq!(handler_of(&["runtime.gopark", "runtime.bgsweep"], None), None);
    }
}
