//! Which place of a pool is taken by what, who waits, and who is next. No lock, no clock, no future:
//! the time is an argument, and what is to be done is said to the caller.
//!
//! Every connection has a place from the first attempt to open it until it is closed, and there are as
//! many places as connections are allowed. So the server never has more, whatever they do.

use std::{collections::VecDeque, panic::Location, sync::Arc, time::SystemTime};

use tokio::time::Instant;

use super::{
    Counters, Discard, Histogram, Holder, Options, Snapshot, backoff::Refusal, forecast,
    usage::Usage,
};
use crate::TraceId;

/// A connection with its place and its dates.
#[derive(Debug)]
pub(super) struct Parked<C> {
    pub(super) connection: C,
    pub(super) place: usize,
    pub(super) expires: Option<Instant>,
    pub(super) last_used: Instant,
}

/// Who borrows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Who {
    pub(super) borrower: Option<&'static str>,
    pub(super) trace_id: Option<TraceId>,
    pub(super) at: &'static Location<'static>,
}

/// What a place is taken by.
#[derive(Clone, Copy, Debug)]
pub(super) enum Place {
    Free,
    Connecting,
    Idle,
    Lent { who: Who, since: Instant, reported: bool },
    Resetting,
    Closing,
}

impl Place {
    const KINDS: usize = 6;

    const fn kind(self) -> usize {
        match self {
            Self::Free => 0,
            Self::Connecting => 1,
            Self::Idle => 2,
            Self::Lent { .. } => LENT,
            Self::Resetting => 4,
            Self::Closing => 5,
        }
    }
}

/// The kind of a place that is lent.
const LENT: usize = 3;

/// What comes of asking for a connection.
#[derive(Debug)]
pub(super) enum Take<C> {
    /// Here it is, lent.
    Lent(Parked<C>),
    /// This one is to be closed; ask again.
    Expired(Parked<C>),
    /// Wait.
    Wait,
    /// Too many wait.
    QueueFull,
    Closed,
}

/// What becomes of a connection that may be lent.
#[derive(Debug)]
pub(super) enum Give<C, W> {
    /// It is idle, in the store.
    Stored,
    /// It is this waiter's.
    To(W, Parked<C>),
    /// It is to be closed.
    Discard(Parked<C>, Discard),
}

#[derive(Debug)]
struct Waiter<W> {
    id: u64,
    who: Who,
    since: Instant,
    token: W,
}

/// `C` is a connection, `W` what a waiter is told by.
#[derive(Debug)]
pub(super) struct State<C, W> {
    options: Arc<Options>,
    places: Vec<Place>,
    /// How many places there are of each kind.
    kinds: [usize; Place::KINDS],
    free: Vec<usize>,
    /// The longest idle first; lent from the back, so that what is not needed grows old.
    idle: VecDeque<Parked<C>>,
    /// By ascending id.
    waiters: VecDeque<Waiter<W>>,
    next_waiter: u64,
    pub(super) closed: bool,
    pub(super) refusal: Option<Refusal>,
    pub(super) counters: Counters,
    pub(super) waits: Histogram,
    holds: Histogram,
    usage: Usage,
}

impl<C, W> State<C, W> {
    pub(super) fn new(options: Arc<Options>, now: Instant) -> Self {
        let size = options.max_size;
        let mut kinds = [0; Place::KINDS];
        kinds[Place::Free.kind()] = size;
        Self {
            places: vec![Place::Free; size],
            kinds,
            free: (0..size).rev().collect(),
            idle: VecDeque::with_capacity(size),
            waiters: VecDeque::new(),
            next_waiter: 0,
            closed: false,
            refusal: None,
            counters: Counters::default(),
            waits: Histogram::default(),
            holds: Histogram::default(),
            usage: Usage::new(options.forecast_window, now),
            options,
        }
    }

    pub(super) const fn connecting(&self) -> usize {
        self.kinds[Place::Connecting.kind()]
    }

    pub(super) fn idle(&self) -> usize {
        self.idle.len()
    }

    pub(super) const fn in_use(&self) -> usize {
        self.kinds[LENT]
    }

    pub(super) const fn resetting(&self) -> usize {
        self.kinds[Place::Resetting.kind()]
    }

    pub(super) const fn closing(&self) -> usize {
        self.kinds[Place::Closing.kind()]
    }

    pub(super) fn waiting(&self) -> usize {
        self.waiters.len()
    }

    /// Whether no place is taken.
    pub(super) fn is_empty(&self) -> bool {
        self.free.len() == self.places.len()
    }

    /// Says what a place is taken by from now on.
    pub(super) fn set(&mut self, place: usize, new: Place, now: Instant) {
        let old = std::mem::replace(&mut self.places[place], new);
        self.kinds[old.kind()] -= 1;
        self.kinds[new.kind()] += 1;
        if let Place::Lent { since, .. } = old {
            self.holds.record(now.saturating_duration_since(since));
        }
        if let Place::Free = new {
            self.free.push(place);
        }
        if old.kind() != new.kind() {
            self.usage.set(self.in_use(), now);
        }
    }

    /// Asks for a connection. It overtakes nobody who waits.
    pub(super) fn take(&mut self, who: Who, now: Instant) -> Take<C> {
        if self.closed {
            return Take::Closed;
        }
        if self.waiters.is_empty()
            && let Some(last) = self.idle.back()
        {
            let expired = last.expires.is_some_and(|expires| expires <= now);
            let fit = self
                .options
                .test_after
                .is_none_or(|after| now.saturating_duration_since(last.last_used) < after);
            if (expired || fit)
                && let Some(parked) = self.idle.pop_back()
            {
                if expired {
                    return Take::Expired(parked);
                }
                self.lend(parked.place, who, now, now);
                return Take::Lent(parked);
            }
        }
        if self.waiters.len() >= self.options.max_waiters {
            self.counters.queue_full += 1;
            return Take::QueueFull;
        }
        Take::Wait
    }

    /// Waits, behind all others.
    pub(super) fn wait(&mut self, who: Who, token: W, now: Instant) -> u64 {
        let id = self.next_waiter;
        self.next_waiter += 1;
        self.waiters.push_back(Waiter { id, who, since: now, token });
        id
    }

    /// Waits no more; `None` if it was its turn already.
    pub(super) fn leave(&mut self, id: u64) -> Option<W> {
        let index = self.waiters.binary_search_by_key(&id, |waiter| waiter.id).ok()?;
        self.waiters.remove(index).map(|waiter| waiter.token)
    }

    /// Takes a connection that may be lent: for who waits longest, or into the store.
    pub(super) fn give(&mut self, mut parked: Parked<C>, now: Instant) -> Give<C, W> {
        if self.closed {
            return Give::Discard(parked, Discard::PoolClosed);
        }
        if parked.expires.is_some_and(|expires| expires <= now) {
            return Give::Discard(parked, Discard::TooOld);
        }
        parked.last_used = now;
        if let Some(waiter) = self.waiters.pop_front() {
            self.lend(parked.place, waiter.who, waiter.since, now);
            return Give::To(waiter.token, parked);
        }
        self.set(parked.place, Place::Idle, now);
        self.idle.push_back(parked);
        Give::Stored
    }

    fn lend(&mut self, place: usize, who: Who, asked: Instant, now: Instant) {
        self.set(place, Place::Lent { who, since: now, reported: false }, now);
        self.counters.gets += 1;
        self.waits.record(now.saturating_duration_since(asked));
    }

    /// An idle one that must be tested before it is lent, if somebody waits for whom none is being
    /// tested yet. From now on it is.
    pub(super) fn begin_test(&mut self, now: Instant) -> Option<Parked<C>> {
        if self.waiters.len() <= self.resetting() {
            return None;
        }
        let parked = self.idle.pop_back()?;
        self.set(parked.place, Place::Resetting, now);
        Some(parked)
    }

    /// How many connections are missing for who waits, and for what is to be kept ready.
    pub(super) fn missing(&self) -> usize {
        if self.closed {
            return 0;
        }
        let coming = self.idle.len() + self.connecting() + self.resetting();
        (self.waiters.len() + self.options.min_idle).saturating_sub(coming).min(self.free.len())
    }

    /// Whether the keeper has something to do for those who wait.
    pub(super) fn is_wanting(&self) -> bool {
        self.missing() > 0 || (!self.idle.is_empty() && self.waiters.len() > self.resetting())
    }

    /// A place for a connection that is to be opened now.
    pub(super) fn begin_connect(&mut self, now: Instant) -> Option<usize> {
        let may = match &self.refusal {
            Some(refusal) => self.connecting() == 0 && refusal.again_at <= now,
            None => true,
        };
        if !may || self.missing() == 0 {
            return None;
        }
        let place = self.free.pop()?;
        self.set(place, Place::Connecting, now);
        Some(place)
    }

    /// An idle one that has lain or lived for too long. From now on it is being closed.
    pub(super) fn begin_expiry(&mut self, now: Instant) -> Option<(Parked<C>, Discard)> {
        let old = |it: &Parked<C>| it.expires.is_some_and(|expires| expires <= now);
        let lain = self.options.idle_timeout.is_some_and(|bound| {
            let front = self.idle.front();
            self.idle.len() > self.options.min_idle
                && front.is_some_and(|it| now.saturating_duration_since(it.last_used) >= bound)
        });
        let (index, why) = match self.idle.iter().position(old) {
            Some(index) => (index, Discard::TooOld),
            None if lain => (0, Discard::IdleTooLong),
            None => return None,
        };
        let parked = self.idle.remove(index)?;
        self.set(parked.place, Place::Closing, now);
        Some((parked, why))
    }

    /// A borrower that is to be reported as a leak. From now on it is.
    pub(super) fn begin_leak(&mut self, now: Instant) -> Option<Holder> {
        let after = self.options.leak_after?;
        let leaked = self.places.iter_mut().find_map(|place| match place {
            Place::Lent { who, since, reported }
                if !*reported && now.saturating_duration_since(*since) >= after =>
            {
                *reported = true;
                Some(holder(*who, *since, true, now))
            }
            _ => None,
        });
        self.counters.leaks += u64::from(leaked.is_some());
        leaked
    }

    /// When something is to be done next if nothing happens before; what is not lent or idle yet is
    /// looked at in time all the same.
    pub(super) fn next_due(&self, now: Instant) -> Instant {
        let options = &self.options;
        let mut due = now + LONGEST_SLEEP;
        let mut sooner = |at: Option<Instant>| due = at.map_or(due, |at| due.min(at));
        if let Some(refusal) = &self.refusal
            && self.missing() > 0
            && self.connecting() == 0
        {
            sooner(Some(refusal.again_at));
        }
        for bound in [options.leak_after, options.idle_timeout, options.max_lifetime] {
            sooner(bound.and_then(|bound| now.checked_add(bound / 2)));
        }
        if let (Some(bound), Some(front)) = (options.idle_timeout, self.idle.front())
            && self.idle.len() > options.min_idle
        {
            sooner(front.last_used.checked_add(bound));
        }
        for parked in &self.idle {
            sooner(parked.expires);
        }
        for place in &self.places {
            if let (Place::Lent { since, reported: false, .. }, Some(after)) =
                (place, options.leak_after)
            {
                sooner(since.checked_add(after));
            }
        }
        due
    }

    /// Lends and keeps nothing any more: what was idle is to be closed, who waited is to be told.
    pub(super) fn close(&mut self, now: Instant) -> (Vec<Parked<C>>, Vec<W>) {
        self.closed = true;
        let idle: Vec<_> = self.idle.drain(..).collect();
        for parked in &idle {
            self.set(parked.place, Place::Closing, now);
        }
        (idle, self.take_waiters())
    }

    pub(super) fn take_waiters(&mut self) -> Vec<W> {
        self.waiters.drain(..).map(|waiter| waiter.token).collect()
    }

    /// Who has a connection, longest first.
    pub(super) fn holders(&self, now: Instant) -> Vec<Holder> {
        let lent = self.places.iter().filter_map(|place| match *place {
            Place::Lent { who, since, reported } => Some(holder(who, since, reported, now)),
            _ => None,
        });
        let mut holders: Vec<_> = lent.collect();
        holders.sort_by_key(|holder| std::cmp::Reverse(holder.age));
        holders
    }

    pub(super) fn snapshot(&mut self, now: Instant) -> Snapshot {
        Snapshot {
            pool: self.options.name.clone(),
            max_size: self.places.len(),
            size: self.places.len() - self.free.len(),
            connecting: self.connecting(),
            idle: self.idle.len(),
            in_use: self.in_use(),
            resetting: self.resetting(),
            closing: self.closing(),
            waiting: self.waiters.len(),
            closed: self.closed,
            counters: self.counters,
            waits: self.waits,
            holds: self.holds,
            holders: self.holders(now),
            refused: self.refusal.as_ref().map(|refusal| refusal.error.to_string()),
            forecast: forecast(&self.usage.samples(now), self.places.len()),
        }
    }
}

/// The keeper looks at everything this often at least.
pub(super) const LONGEST_SLEEP: std::time::Duration = std::time::Duration::from_secs(3_600);

fn holder(who: Who, since: Instant, reported: bool, now: Instant) -> Holder {
    let age = now.saturating_duration_since(since);
    let wall = SystemTime::now();
    Holder {
        borrower: who.borrower,
        trace_id: who.trace_id,
        borrowed_at: who.at,
        since: wall.checked_sub(age).unwrap_or(wall),
        age,
        reported,
    }
}
