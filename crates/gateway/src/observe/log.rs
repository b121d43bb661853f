//! The access log: workers gather lines, one thread writes them, so that a slow disk never holds
//! up a request. What cannot be written in time is dropped and counted.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    sync::{
        Arc,
        atomic::Ordering::Relaxed,
        mpsc::{self, Receiver, SyncSender, TrySendError},
    },
    thread::JoinHandle,
};

use model::RequestRecord;

use super::Observatory;
use crate::settings::AccessLog;

/// A worker hands its lines over once it has this much.
const BLOCK_BYTES: usize = 32 * 1024;
/// So many blocks may wait for the writing thread, which bounds what a slow disk can hold to 8 MiB.
const BLOCKS_WAITING: usize = 256;

/// Lines that belong together.
struct Block {
    text: String,
    lines: u64,
}

/// One worker's end of the log.
pub(crate) struct LogBuffer {
    block: Block,
    sender: SyncSender<Block>,
    observatory: Arc<Observatory>,
}

impl LogBuffer {
    pub(crate) fn write(&mut self, record: &RequestRecord) {
        record.write_json(&mut self.block.text);
        self.block.text.push('\n');
        self.block.lines += 1;
        if self.block.text.len() >= BLOCK_BYTES {
            self.flush();
        }
    }

    /// Hands over what there is. Called every second, and at the end.
    pub(crate) fn flush(&mut self) {
        if self.block.lines == 0 {
            return;
        }
        let next = Block { text: String::with_capacity(BLOCK_BYTES + 1024), lines: 0 };
        let block = std::mem::replace(&mut self.block, next);
        match self.sender.try_send(block) {
            Ok(()) => {}
            Err(TrySendError::Full(block) | TrySendError::Disconnected(block)) => {
                self.observatory.gauges.log_lines_dropped.fetch_add(block.lines, Relaxed);
            }
        }
    }
}

impl Drop for LogBuffer {
    fn drop(&mut self) {
        self.flush();
    }
}

/// The thread that writes; it ends once every worker has dropped its end.
#[derive(Debug)]
pub(crate) struct LogThread {
    sender: Option<SyncSender<Block>>,
    thread: Option<JoinHandle<()>>,
    observatory: Arc<Observatory>,
}

impl std::fmt::Debug for Block {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Block").field("lines", &self.lines).finish()
    }
}

impl LogThread {
    /// Opens the log and starts its thread; `None` where there is to be none.
    pub(crate) fn start(
        log: &AccessLog,
        observatory: &Arc<Observatory>,
    ) -> io::Result<Option<Self>> {
        let mut target: Box<dyn Write + Send> = match log {
            AccessLog::Off => return Ok(None),
            AccessLog::Stdout => Box::new(io::stdout()),
            AccessLog::File(path) => {
                let file: File = OpenOptions::new().create(true).append(true).open(path)?;
                Box::new(file)
            }
        };
        let (sender, receiver): (_, Receiver<Block>) = mpsc::sync_channel(BLOCKS_WAITING);
        let counted = Arc::clone(observatory);
        let thread =
            std::thread::Builder::new().name("access-log".to_owned()).spawn(move || {
                while let Ok(block) = receiver.recv() {
                    let written =
                        target.write_all(block.text.as_bytes()).and_then(|()| target.flush());
                    if written.is_err() {
                        counted.gauges.log_lines_dropped.fetch_add(block.lines, Relaxed);
                    }
                }
            })?;
        let observatory = Arc::clone(observatory);
        Ok(Some(Self { sender: Some(sender), thread: Some(thread), observatory }))
    }

    /// A worker's end.
    pub(crate) fn buffer(&self) -> Option<LogBuffer> {
        Some(LogBuffer {
            block: Block { text: String::with_capacity(BLOCK_BYTES + 1024), lines: 0 },
            sender: self.sender.clone()?,
            observatory: Arc::clone(&self.observatory),
        })
    }
}

impl Drop for LogThread {
    fn drop(&mut self) {
        self.sender = None;
        if let Some(thread) = self.thread.take() {
            // It cannot panic: it only writes and counts.
            thread.join().unwrap_or_default();
        }
    }
}
