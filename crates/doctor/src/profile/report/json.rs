//! A report for programs.

use serde_json::{Value, json};

use super::{
    super::{
        Place,
        blocked::Blocked,
        cleanup::{HandlerCleanup, ratio},
        join::Site,
        lock_holders::{ContendedLock, Holder},
    },
    Report,
};

/// At most this many functions are listed; the number of all is said.
const MAX_FUNCTIONS: usize = 1000;

impl Report<'_> {
    /// The report as one JSON object. Values are in the unit of `value`.
    #[must_use]
    pub fn to_json(&self) -> Value {
        json!({
            "kind": self.kind.as_str(),
            "value": { "name": self.value.name, "unit": self.value.unit },
            "total": self.total,
            "stacks": self.samples,
            "bookkeeping_ratio": ratio(self.bookkeeping, self.total),
            "cleanup": {
                "total": self.cleanup.total,
                "in_cleanup": self.cleanup.in_cleanup,
                "ratio": self.cleanup.ratio(),
                "handlers": list(&self.cleanup.handlers, handler),
            },
            "blocked": list(&self.blocked, blocked),
            "locks": list(&self.locks, lock),
            "growth": self.growth.as_ref().map(|growth| list(growth, |grown| json!({
                "place": place(&grown.place),
                "before": grown.before,
                "after": grown.after,
            }))),
            "findings": list(&self.findings, |ranked| json!({
                "code": ranked.finding.rule.code,
                "path": ranked.path,
                "line": ranked.line,
                "message": ranked.finding.message,
                "blocked": ranked.blocked,
                "in_function": ranked.in_function,
            })),
            "function_count": self.functions.len(),
            "functions": list(&self.functions[..self.functions.len().min(MAX_FUNCTIONS)], |row| json!({
                "function": row.function,
                "file": row.file,
                "flat": row.flat,
                "cumulative": row.cumulative,
            })),
            "notes": self.notes,
        })
    }
}

fn list<T>(items: &[T], one: impl Fn(&T) -> Value) -> Value {
    Value::Array(items.iter().map(one).collect())
}

fn place(place: &Place) -> Value {
    json!({ "function": place.function, "path": place.path, "line": place.line })
}

fn site(site: &Site) -> Value {
    json!({ "path": site.path, "line": site.line, "text": site.text })
}

fn handler(handler: &HandlerCleanup) -> Value {
    json!({
        "handler": handler.handler,
        "total": handler.total,
        "in_cleanup": handler.in_cleanup,
        "ratio": handler.ratio(),
        "sites": list(&handler.sites, |(at, value)| json!({
            "callee": at.callee,
            "defer": at.site.as_ref().map(site),
            "value": value,
        })),
    })
}

fn blocked(group: &Blocked) -> Value {
    json!({
        "goroutines": group.goroutines,
        "reason": group.reason,
        "minutes": group.minutes,
        "place": place(&group.place),
        "handler": group.handler,
        "serves": group.serves,
        "deferred": group.cleanup.as_ref().map(|call| json!({
            "callee": call.callee,
            "defer": call.site.as_ref().map(site),
            "caller": place(&call.caller),
            "by_panic": call.by_panic,
        })),
    })
}

fn lock(lock: &ContendedLock) -> Value {
    json!({
        "lock": lock.lock,
        "waiters": lock.waiters,
        "waiting": list(&lock.waiting, |(at, goroutines)| json!({
            "place": place(at),
            "goroutines": goroutines,
        })),
        "holders": list(&lock.holders, holder),
    })
}

fn holder(holder: &Holder) -> Value {
    json!({
        "goroutines": holder.goroutines,
        "taken": place(&holder.taken),
        "stands": place(&holder.stands),
        "waits": holder.waits.as_ref().map(place),
        "reason": holder.reason,
        "defer": holder.cleanup.as_ref().map(site),
    })
}
