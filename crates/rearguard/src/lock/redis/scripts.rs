//! What must be one step at the server.

use std::sync::LazyLock;

use redis::{Cmd, Script, cmd};

/// A script, and the hash by which a server knows it.
pub(super) struct Step {
    code: &'static str,
    hash: LazyLock<String>,
}

/// Prolongs a lock that is the owner's. One that is gone stays gone (rule 2).
pub(super) static RENEW: Step = Step {
    code: "if redis.call('GET', KEYS[1]) == ARGV[1] then \
           return redis.call('PEXPIRE', KEYS[1], ARGV[2]) end return 0",
    hash: LazyLock::new(|| hash(RENEW.code)),
};

/// Frees a lock that is the owner's, and tells who waits (rules 3 and 6).
pub(super) static RELEASE: Step = Step {
    code: "if redis.call('GET', KEYS[1]) == ARGV[1] then \
           redis.call('DEL', KEYS[1]) redis.call('PUBLISH', KEYS[1], '') return 1 end return 0",
    hash: LazyLock::new(|| hash(RELEASE.code)),
};

/// The same, telling nobody: what was not held need not be waited for.
pub(super) static TAKE_BACK: Step = Step {
    code: "if redis.call('GET', KEYS[1]) == ARGV[1] then \
           return redis.call('DEL', KEYS[1]) end return 0",
    hash: LazyLock::new(|| hash(TAKE_BACK.code)),
};

fn hash(code: &str) -> String {
    Script::new(code).get_hash().to_owned()
}

impl Step {
    /// Runs it by its hash: nearly always, the server knows it.
    pub(super) fn known(&self, key: &str, arguments: &[String]) -> Cmd {
        let mut command = cmd("EVALSHA");
        command.arg(self.hash.as_str()).arg(1).arg(key).arg(arguments);
        command
    }

    /// Runs it by its text; the server knows it from then on.
    pub(super) fn full(&self, key: &str, arguments: &[String]) -> Cmd {
        let mut command = cmd("EVAL");
        command.arg(self.code).arg(1).arg(key).arg(arguments);
        command
    }
}
