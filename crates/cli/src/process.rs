//! What concerns the process as a whole: signals, descriptors.

use std::{io, sync::mpsc, thread};

use tokio::signal::unix::{SignalKind, signal};

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    /// SIGTERM or SIGINT.
    Stop,
    /// SIGHUP.
    Reload,
}

/// Listens for signals on a thread of its own, until the receiver is dropped.
pub(crate) fn wishes() -> io::Result<mpsc::Receiver<Wish>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    let (sender, receiver) = mpsc::channel();
    let (mut terminate, mut interrupt, mut hang_up) = {
        let _entered = runtime.enter();
        (
            signal(SignalKind::terminate())?,
            signal(SignalKind::interrupt())?,
            signal(SignalKind::hangup())?,
        )
    };
    thread::Builder::new().name("signals".to_owned()).spawn(move || {
        runtime.block_on(async {
            loop {
                let wish = tokio::select! {
                    _ = terminate.recv() => Wish::Stop,
                    _ = interrupt.recv() => Wish::Stop,
                    _ = hang_up.recv() => Wish::Reload,
                };
                if sender.send(wish).is_err() {
                    return;
                }
            }
        });
    })?;
    Ok(receiver)
}

/// Raises the limit of descriptors as far as the system allows. Returns the limit in force.
pub(crate) fn raise_descriptor_limit() -> u64 {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    // Where it is refused, what is there has to do.
    setrlimit(Resource::Nofile, raised).unwrap_or_default();
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}
