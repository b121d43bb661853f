use std::{
    fmt,
    hash::{BuildHasher, RandomState},
    sync::{
        OnceLock,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

/// Who holds, or asks for, a lock: 128 random bits, new for each attempt.
///
/// What is released and renewed is compared with it, so that nobody ends or prolongs a lock that is
/// another's by now.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct OwnerId(u128);

impl OwnerId {
    /// A new one.
    ///
    /// ```
    /// use rearguard::lock::OwnerId;
    ///
    /// assert_ne!(OwnerId::random(), OwnerId::random());
    /// assert_eq!(OwnerId::random().to_string().len(), 32);
    /// ```
    #[must_use]
    pub fn random() -> Self {
        // SipHash of a counter, under two keys of 128 bits each that the standard library has of the
        // operating system: a pseudo-random function.
        static KEYS: OnceLock<(RandomState, RandomState)> = OnceLock::new();
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let (high, low) = KEYS.get_or_init(|| (RandomState::new(), RandomState::new()));
        let next = NEXT.fetch_add(1, Relaxed);
        Self(u128::from(high.hash_one(next)) << 64 | u128::from(low.hash_one(next)))
    }
}

/// 32 hexadecimal digits, as it stands in the store.
impl fmt::Display for OwnerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for OwnerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OwnerId({self})")
    }
}
