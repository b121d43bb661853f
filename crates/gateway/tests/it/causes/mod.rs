//! Every cause that the gateway can meet, brought about on real sockets: the answer, the record,
//! the log's line and the metric say the same, and nothing is left afterwards.

mod client;
mod gateway;
mod upstream;
