//! What a scope promises, row by row.
//!
//! | row | file |
//! |---|---|
//! | 1 newest first, whatever the number | `order` |
//! | 2 captured by value and by reference; 13 captures dropped once, of any size | `captures` |
//! | 3 deferred code edits the result | `result` |
//! | 4 recover, and older cleanups see no panic; 5 at most once | `recover` |
//! | 6 others run after a panic; 7 its identity; 8 nothing stale | `panics` |
//! | 9 a cancellation is no panic | `crate::local` |
//! | 10 process exit runs none; 11 any payload; 12 a body that never returns | `ways_out` |
//! | 13, for async cleanups | `crate::async_memory` |
//! | 14 async: cancelled, wherever it stands | `crate::async_cancel`, `crate::async_acquire`, `tests/reaper` |
//! | 15 cleanups that fail, hang, open scopes | `crate::async_cleanups`, `crate::async_deadlines` |
//! | 15 registered late, transferred, disarmed, run early | `crate::async_registered` |
//! | 16 over random schedules, once or unfinished | `tests/schedules` |
//!
//! Beside the table: which failure is the scope's own (`precedence`), cleanups that apply to some
//! ways out only (`conditions`), `keys`, `hold`, scopes in cleanups and drops and threads
//! (`nested`), the memory they take (`room`), the `observer`, and a `property` over random trees.
//!
//! Where a test answers one of the tests of Go's `defer`, `panic` and `recover`, it names it.

mod captures;
mod conditions;
mod hold;
mod keys;
mod nested;
mod observer;
mod order;
mod panics;
mod precedence;
mod property;
mod recover;
mod result;
mod room;
mod ways_out;
