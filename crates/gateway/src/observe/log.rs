//! The access log: workers gather lines, one thread writes them, so that a slow disk never holds
//! up a request. What cannot be written in time is dropped and counted.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    sync::{
        Arc,
        atomic::Ordering::Relaxed,
        mpsc::{self, Receiver, SyncSender},
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

/// What the writing thread is told.
enum Message {
    Lines(Block),
    /// The file has been moved away: go on in a new one.
    Reopen,
}

/// One worker's end of the log.
pub(crate) struct LogBuffer {
    block: Block,
    sender: SyncSender<Message>,
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
        let lines = block.lines;
        if self.sender.try_send(Message::Lines(block)).is_err() {
            self.observatory.gauges.log_lines_dropped.fetch_add(lines, Relaxed);
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
    sender: Option<SyncSender<Message>>,
    thread: Option<JoinHandle<()>>,
    observatory: Arc<Observatory>,
}

impl std::fmt::Debug for Message {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Lines(_) => "Lines",
            Self::Reopen => "Reopen",
        })
    }
}

impl LogThread {
    /// Opens the log and starts its thread; `None` where there is to be none.
    pub(crate) fn start(
        log: &AccessLog,
        observatory: &Arc<Observatory>,
    ) -> io::Result<Option<Self>> {
        let Some(mut target) = open(log)? else { return Ok(None) };
        let (sender, receiver): (_, Receiver<Message>) = mpsc::sync_channel(BLOCKS_WAITING);
        let (log, counted) = (log.clone(), Arc::clone(observatory));
        let thread =
            std::thread::Builder::new().name("access-log".to_owned()).spawn(move || {
                while let Ok(message) = receiver.recv() {
                    match message {
                        Message::Lines(block) => {
                            let bytes = block.text.as_bytes();
                            if target.write_all(bytes).and_then(|()| target.flush()).is_err() {
                                counted.gauges.log_lines_dropped.fetch_add(block.lines, Relaxed);
                            }
                        }
                        // Where it cannot be opened anew, the old file still takes the lines.
                        Message::Reopen => {
                            if let Ok(Some(again)) = open(&log) {
                                target = again;
                            }
                        }
                    }
                }
            })?;
        let observatory = Arc::clone(observatory);
        Ok(Some(Self { sender: Some(sender), thread: Some(thread), observatory }))
    }

    /// Goes on in a new file where the old one has been moved away, as logrotate does.
    pub(crate) fn reopen(&self) {
        if let Some(sender) = &self.sender {
            // It fails only once the thread has ended, with the gateway.
            sender.send(Message::Reopen).unwrap_or_default();
        }
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

/// Opens the log; `None` where there is to be none.
fn open(log: &AccessLog) -> io::Result<Option<Box<dyn Write + Send>>> {
    Ok(match log {
        AccessLog::Off => None,
        AccessLog::Stdout => Some(Box::new(io::stdout())),
        AccessLog::File(path) => {
            let file: File = OpenOptions::new().create(true).append(true).open(path)?;
            Some(Box::new(file))
        }
    })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_that_was_moved_away_goes_on_in_a_new_file() {
        let folder = std::env::temp_dir().join(format!("rearguard-log-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let (path, moved) = (folder.join("access.log"), folder.join("access.log.1"));
        let observatory = Arc::new(Observatory::new(1, &[]));
        let log = LogThread::start(&AccessLog::File(path.clone()), &observatory).unwrap().unwrap();
        let send = |text: &str| {
            let mut buffer = log.buffer().unwrap();
            buffer.block = Block { text: text.to_owned(), lines: 1 };
        };
        send("before\n");
        std::fs::rename(&path, &moved).unwrap();
        log.reopen();
        send("after\n");
        drop(log);
        assert_eq!(std::fs::read_to_string(&moved).unwrap(), "before\n");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "after\n");
        assert_eq!(observatory.gauges.log_lines_dropped.load(Relaxed), 0);
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
