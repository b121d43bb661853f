//! The gateway as its clients and services meet it: every test runs one on real sockets, with
//! services that follow a script.

mod causes;
mod flow;
mod hostile;
mod leaks;
mod objectives;
mod races;
mod support;
mod waiting;
