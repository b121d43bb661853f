//! The data plane: carries users' traffic and says of every request how it ended and why.

pub mod observe;
