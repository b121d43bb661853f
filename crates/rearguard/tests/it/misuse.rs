//! What does not compile, and what the compiler says of it.
//!
//! `TRYBUILD=overwrite cargo test -p rearguard --test it misuse` writes the messages anew; read
//! them as somebody who sees the crate for the first time.

#[test]
fn misuse_does_not_compile() {
    trybuild::TestCases::new().compile_fail("tests/it/misuse/*.rs");
}

#[cfg(feature = "tokio")]
#[test]
fn misuse_of_scopes_with_async_cleanups_does_not_compile() {
    trybuild::TestCases::new().compile_fail("tests/it/misuse_async/*.rs");
}
