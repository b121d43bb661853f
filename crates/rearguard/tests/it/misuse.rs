//! What does not compile, and what the compiler says of it.
//!
//! `TRYBUILD=overwrite cargo test -p rearguard --all-features --test it misuse` writes the messages anew; read
//! them as somebody who sees the crate for the first time. They are those of `--all-features`, as
//! `cargo xtask test` has it: a name that another library has too is written with its path.

#[test]
fn misuse_does_not_compile() {
    trybuild::TestCases::new().compile_fail("tests/it/misuse/*.rs");
}

#[cfg(feature = "tokio")]
#[test]
fn misuse_of_scopes_with_async_cleanups_does_not_compile() {
    trybuild::TestCases::new().compile_fail("tests/it/misuse_async/*.rs");
}
