//! Makes schedules from seeds.

use fastrand::Rng;
use rearguard::Overrun;

use crate::program::{
    Awaited, Bounds, Cleanup, Drive, End, Face, Fate, HeldUntil, Kind, ObserverDoes, Panics,
    Schedule, ScopeProgram, SideFate, Size, Step, Task, Threads, Timed, Wait,
};

/// How often registrations of one kind can be told apart in one scope.
pub(crate) const SITES: usize = 3;

/// The schedule of a seed.
pub(crate) fn schedule(seed: u64, threads: Threads) -> Schedule {
    let mut made = Generator { rng: Rng::with_seed(seed), threads, scopes: 12, sites: 0 };
    let root = made.scope(0);
    let drive = made.drive();
    let capacity = made.one_in(24).then(|| made.rng.usize(0..3));
    let observer = if made.one_in(16) { ObserverDoes::Panic } else { ObserverDoes::Return };
    let held_until = if made.rng.bool() { HeldUntil::Ended } else { HeldUntil::RuntimeGone };
    Schedule { root, drive, threads, capacity, observer, held_until }
}

struct Generator {
    rng: Rng,
    threads: Threads,
    /// How many scopes may still be made.
    scopes: usize,
    sites: usize,
}

impl Generator {
    fn one_in(&mut self, count: usize) -> bool {
        self.rng.usize(0..count) == 0
    }

    fn one<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.rng.usize(0..from.len())]
    }

    fn drive(&mut self) -> Drive {
        match self.rng.usize(0..10) {
            0 | 1 => Drive::ToEnd,
            2 | 3 => Drive::DroppedAfter(self.rng.usize(0..12)),
            4 => Drive::Timeout(self.milliseconds()),
            5 => Drive::Selected(self.wait()),
            6 => Drive::Aborted(self.wait()),
            7 => Drive::RuntimeDropped(self.wait()),
            8 => Drive::DroppedOutside { polls: self.rng.usize(0..10) },
            _ => Drive::DroppedElsewhere { polls: self.rng.usize(0..10) },
        }
    }

    /// Long enough to outlast some deadlines, short enough where time is real.
    fn milliseconds(&mut self) -> u64 {
        match self.threads {
            Threads::One => self.rng.u64(0..40),
            Threads::Two => self.rng.u64(0..3),
        }
    }

    fn deadline(&mut self) -> u64 {
        match self.threads {
            Threads::One => self.rng.u64(1..60),
            Threads::Two => self.rng.u64(1..5),
        }
    }

    fn wait(&mut self) -> Wait {
        if self.rng.bool() {
            Wait::Yield(self.rng.u8(1..5))
        } else {
            Wait::Sleep(self.milliseconds())
        }
    }

    fn waits(&mut self) -> Vec<Wait> {
        (0..self.one(&[0, 0, 1, 1, 2])).map(|_| self.wait()).collect()
    }

    fn end(&mut self) -> End {
        self.one(&[End::Well, End::Well, End::Well, End::Error, End::Panic])
    }

    fn bounds(&mut self) -> Bounds {
        Bounds {
            deadline: self.one_in(4).then(|| self.deadline()),
            // Where time is real, nothing may hang for long.
            cleanup: (self.one_in(3) || self.threads == Threads::Two).then(|| self.deadline()),
            each: self.one_in(4).then(|| self.deadline()),
            overrun: self.one(&[Overrun::RunRest, Overrun::Abandon, Overrun::Background]),
            timed: if self.one_in(4) { Timed::Yes } else { Timed::No },
        }
    }

    fn scope(&mut self, depth: usize) -> ScopeProgram {
        self.scopes = self.scopes.saturating_sub(1);
        let bounds = self.bounds();
        let most = if depth == 0 { 9 } else { 5 };
        let count = self.rng.usize(0..most);
        let steps = (0..count).map(|_| self.step(depth, bounds.deadline.is_some())).collect();
        let face = self.one(&[Face::Body, Face::Body, Face::Run, Face::Owned]);
        ScopeProgram { face, bounds, steps, end: self.end() }
    }

    fn inner_scope(&mut self, depth: usize) -> Option<ScopeProgram> {
        (depth < 3 && self.scopes > 0).then(|| self.scope(depth + 1))
    }

    /// What waits for ever is made only where a deadline of the scope cuts it short.
    fn step(&mut self, depth: usize, bounded: bool) -> Step {
        match self.rng.usize(0..24) {
            0 => Step::Hold { cleanup: self.cleanup(depth), fate: self.fate() },
            1 => self.acquire(depth),
            2 => match self.inner_scope(depth) {
                Some(program) => Step::Adopt(program),
                None => Step::Wait(self.wait()),
            },
            3 => match self.inner_scope(depth) {
                Some(program) => Step::Nested(program),
                None => Step::Wait(self.wait()),
            },
            4 => Step::Spawn {
                task: self.task(depth, bounded),
                awaited: if self.one_in(3) { Awaited::Yes } else { Awaited::No },
            },
            5 => Step::Foreign { waits: self.waits(), cleanup: self.cleanup(depth) },
            6 => Step::Disarm { which: self.rng.usize(0..4) },
            7 => Step::RunNow {
                which: self.rng.usize(0..4),
                polls: self.rng.bool().then(|| self.rng.usize(0..4)),
            },
            8 => Step::Transfer {
                which: self.rng.usize(0..4),
                fate: self.one(&[SideFate::Ended, SideFate::Dropped, SideFate::Adopted]),
            },
            9..13 => Step::Wait(self.wait()),
            13 if bounded => Step::Wait(Wait::Hang),
            13..17 => self.register(Kind::Keyed, depth),
            _ => {
                let kind = self.one(&Kind::ALL);
                self.register(kind, depth)
            }
        }
    }

    fn register(&mut self, kind: Kind, depth: usize) -> Step {
        self.sites = (self.sites + 1) % SITES;
        let mut cleanup = self.cleanup(depth);
        if cleanup.panics == Panics::Made && !kind.is_made() {
            cleanup.panics = Panics::No;
        }
        Step::Register { kind, site: self.sites, cleanup }
    }

    fn fate(&mut self) -> Fate {
        self.one(&[Fate::DroppedAtOnce, Fate::DroppedWithBody, Fate::Taken, Fate::Kept])
    }

    fn acquire(&mut self, depth: usize) -> Step {
        let polls = self.rng.bool().then(|| self.rng.usize(0..4));
        let mut get = self.waits();
        if polls.is_some() && self.one_in(3) {
            get.push(Wait::Hang);
        }
        let (end, cleanup, fate) = (self.end(), self.cleanup(depth), self.fate());
        Step::Acquire { get, end, polls, cleanup, fate }
    }

    fn task(&mut self, depth: usize, bounded: bool) -> Task {
        let mut waits = self.waits();
        if bounded && self.one_in(4) {
            waits.push(Wait::Hang);
        }
        let cleanup = self.one_in(3).then(|| self.cleanup(depth));
        Task { waits, cleanup, end: self.end() }
    }

    fn cleanup(&mut self, depth: usize) -> Cleanup {
        let mut waits = self.waits();
        if self.one_in(10) {
            waits.push(Wait::Hang);
        }
        let end = self.end();
        let panics = match self.rng.usize(0..16) {
            0 => Panics::Made,
            1 => Panics::Dropped,
            _ => Panics::No,
        };
        let more = (depth < 4 && self.one_in(8)).then(|| Box::new(self.cleanup(depth + 1)));
        let nested = if self.one_in(12) { self.inner_scope(depth).map(Box::new) } else { None };
        let size = match self.rng.usize(0..12) {
            0 => Size::Words,
            1 => Size::Large,
            2 => Size::Oversized,
            3 => Size::Align16,
            4 => Size::Align64,
            _ => Size::Small,
        };
        Cleanup { size, waits, end, panics, more, nested }
    }
}
