//! The memory of a scope: values of different types, newest on top, one after the other.
//!
//! A value is written where there is room, followed by a [`Head`] that says what can be done with
//! it. Values never move while they are here, so a reference to one stays good until it is taken.
//! The first chunk is either a [`Buffer`] on the machine's stack or a block that the thread keeps
//! for reuse; a scope that outgrows it adds chunks of doubling size and gives them back on the way.
//!
//! Ours because no crate keeps closures of different types in place, newest first, with a way to
//! run them: arenas free all at once, and `Vec<Box<dyn FnOnce()>>` allocates for each.

use core::{
    cell::{Cell, UnsafeCell},
    fmt,
    mem::{MaybeUninit, size_of},
    panic::Location,
    ptr::{self, null_mut},
};

use super::block;

/// Entries and heads begin on multiples of this.
pub(crate) const WORD: usize = 8;

/// What can be done with a value of one type, that the first pointer points at: it is moved out and
/// run with what the second one points at, as agreed between who pushes and who takes; where that
/// one is null, the value is dropped where it is. The place is where it was registered. One function
/// rather than a table of them, because every entry of every scope loads it.
pub(crate) type Act = unsafe fn(*mut u8, *mut (), &'static Location<'static>);

/// Follows every value. Aligned so that the next one begins on a [`WORD`] where pointers are shorter.
#[derive(Clone, Copy)]
#[repr(C, align(8))]
struct Head {
    act: Act,
    at: &'static Location<'static>,
    /// Where the value begins, which is where the top was before it came.
    value: *mut u8,
}

const HEAD: usize = size_of::<Head>();

/// Begins every chunk but a [`Buffer`]: the chunk below it, and its own size.
#[repr(C, align(8))]
struct Below {
    base: *mut u8,
    top: *mut u8,
    end: *mut u8,
    size: usize,
}

const BELOW: usize = size_of::<Below>();

const _: () = assert!(HEAD.is_multiple_of(WORD) && BELOW.is_multiple_of(WORD));

/// Stands in for a value that was taken from the middle.
unsafe fn nothing(_: *mut u8, _: *mut (), _: &'static Location<'static>) {}

/// Where such a value was registered: nowhere else, so that it can be told by it. It is a static
/// because a constant may have another address wherever it is used.
static GONE: &Location<'static> = Location::caller();

/// Room on the machine's stack for the first entries: ten closures that capture three words.
#[repr(align(8))]
pub(crate) struct Buffer(UnsafeCell<MaybeUninit<[u8; 512]>>);

impl Buffer {
    #[inline(always)]
    pub(crate) const fn new() -> Self {
        Self(UnsafeCell::new(MaybeUninit::uninit()))
    }
}

/// Values of different types, newest on top.
///
/// Invariants: `base <= top <= end`, all in the current chunk and multiples of [`WORD`] (or all
/// null); between `base` and `top` lie whole entries, each a live value and its head. `root` is the
/// `base` of the lowest chunk: the buffer's beginning, or null where there is none.
pub(crate) struct Arena {
    base: Cell<*mut u8>,
    top: Cell<*mut u8>,
    end: Cell<*mut u8>,
    root: *mut u8,
    last: Cell<&'static Location<'static>>,
}

/// A value that was taken: to be run or discarded before the arena is used again.
#[must_use = "the value is neither run nor dropped"]
pub(crate) struct Taken {
    pub(crate) act: Act,
    /// Where it was registered.
    pub(crate) at: &'static Location<'static>,
    pub(crate) value: *mut u8,
    /// Where it was.
    #[cfg_attr(not(feature = "tokio"), expect(dead_code, reason = "only async cleanups stay"))]
    pub(crate) place: Place,
}

impl Taken {
    /// Whether this is only the room of a value that was withdrawn.
    #[inline]
    pub(crate) fn is_gone(&self) -> bool {
        ptr::eq(self.at, GONE)
    }

    /// Drops the value where it is.
    pub(crate) fn discard(self) {
        // SAFETY: the value is live, and nobody else has it any more.
        unsafe { (self.act)(self.value, null_mut(), self.at) };
    }
}

/// Where an entry's head is. Good until that entry is taken.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place(*mut u8);

// SAFETY: a place is an address. To use it is `unsafe`, and asks for the arena that it is of.
unsafe impl Send for Place {}
// SAFETY: as above.
unsafe impl Sync for Place {}

impl Arena {
    /// An arena that takes a block at its first entry.
    #[inline(always)]
    pub(crate) const fn new() -> Self {
        let null = null_mut();
        Self::of(null, null)
    }

    /// An arena whose first entries go into `buffer`.
    ///
    /// # Safety
    /// The buffer must outlive the arena, stay where it is, and serve no other arena meanwhile.
    #[inline(always)]
    pub(crate) unsafe fn within(buffer: &Buffer) -> Self {
        let base: *mut u8 = buffer.0.get().cast();
        // SAFETY: one past the end of the buffer, whose size this is.
        let end = unsafe { base.add(size_of::<Buffer>()) };
        Self::of(base, end)
    }

    #[inline(always)]
    const fn of(base: *mut u8, end: *mut u8) -> Self {
        let (top, end, root) = (Cell::new(base), Cell::new(end), base);
        Self { base: Cell::new(base), top, end, root, last: Cell::new(GONE) }
    }

    /// Whether nothing is left. An entry that was withdrawn may still count as something.
    #[inline(always)]
    pub(crate) fn is_empty(&self) -> bool {
        self.top.get() == self.root
    }

    /// Keeps a value on top, and says where it and its head are.
    ///
    /// # Safety
    /// `act` must be made for values of type `T`, and `T` must be aligned to [`WORD`] at most. What
    /// `T` borrows must outlive the arena's use of it.
    #[inline(always)]
    pub(crate) unsafe fn push<T>(
        &self,
        value: T,
        act: Act,
        at: &'static Location<'static>,
    ) -> (Place, *mut T) {
        debug_assert!(align_of::<T>() <= WORD, "boxed by who pushes");
        let room = const { size_of::<T>().next_multiple_of(WORD) };
        if self.end.get() as usize - (self.top.get() as usize) < room + HEAD {
            self.grow(room + HEAD);
        }
        let start = self.top.get();
        // SAFETY: from `start`, a multiple of WORD, `room + HEAD` bytes are free in this chunk.
        unsafe {
            start.cast::<T>().write(value);
            let head = start.add(room);
            head.cast::<Head>().write(Head { act, at, value: start });
            self.top.set(head.add(HEAD));
            (Place(head), start.cast::<T>())
        }
    }

    /// Moves one value to another arena, as its newest.
    ///
    /// # Safety
    /// As for [`Arena::withdraw`]; the value must be movable, and `to` of the same use: it runs
    /// its entries with the same kind of context, and before what they borrow ends.
    pub(crate) unsafe fn transfer(&self, place: Place, to: &Self) -> Place {
        // SAFETY: by the contract.
        let taken = unsafe { self.withdraw(place) };
        // A head follows its value, padded to a word.
        let room = place.0 as usize - taken.value as usize;
        if to.end.get() as usize - (to.top.get() as usize) < room + HEAD {
            to.grow(room + HEAD);
        }
        let start = to.top.get();
        // SAFETY: as in `push`. Should both be one arena, the withdrawn room may be on top of it,
        // where the value lies already: hence a copy that may overlap.
        unsafe {
            ptr::copy(taken.value, start, room);
            let head = start.add(room);
            head.cast::<Head>().write(Head { act: taken.act, at: taken.at, value: start });
            to.top.set(head.add(HEAD));
            Place(head)
        }
    }

    /// Where the room above all values begins.
    #[inline(always)]
    pub(crate) const fn top(&self) -> *mut u8 {
        self.top.get()
    }

    /// Takes the newest value.
    #[inline(always)]
    pub(crate) fn pop(&self) -> Option<Taken> {
        self.pop_at(self.top())
    }

    /// Like [`Arena::pop`], by who knows the top, and need not wait until it is read back. The next
    /// top is where the value begins.
    #[inline(always)]
    pub(crate) fn pop_at(&self, mut top: *mut u8) -> Option<Taken> {
        debug_assert_eq!(top, self.top.get(), "it is known");
        if top == self.base.get() {
            if top == self.root || !self.leave_chunk() {
                return None;
            }
            top = self.top.get();
        }
        // SAFETY: above `base` lies a whole entry, whose head ends at `top`.
        let place = Place(unsafe { top.sub(HEAD) });
        // SAFETY: as above.
        let head = unsafe { place.0.cast::<Head>().read() };
        self.top.set(head.value);
        Some(Taken { act: head.act, at: head.at, value: head.value, place })
    }

    /// Takes all values, newest first. A panic in `each` comes out: what was not taken stays, and
    /// [`Arena::last`] tells which value it was.
    ///
    /// Unlike [`Arena::pop`] it keeps the top in a register, so nothing may be pushed meanwhile.
    #[inline(always)]
    pub(crate) fn drain(&self, mut each: impl FnMut(Taken)) {
        struct Cursor<'a> {
            arena: &'a Arena,
            top: *mut u8,
            at: &'static Location<'static>,
        }
        impl Drop for Cursor<'_> {
            #[inline(always)]
            fn drop(&mut self) {
                self.arena.top.set(self.top);
                self.arena.last.set(self.at);
            }
        }
        loop {
            let mut cursor = Cursor { arena: self, top: self.top.get(), at: self.last.get() };
            let base = self.base.get();
            let mut take = || {
                if cursor.top == base {
                    return false;
                }
                // SAFETY: as in `pop`.
                let place = Place(unsafe { cursor.top.sub(HEAD) });
                // SAFETY: as in `pop`.
                let head = unsafe { place.0.cast::<Head>().read() };
                (cursor.top, cursor.at) = (head.value, head.at);
                each(Taken { act: head.act, at: head.at, value: head.value, place });
                true
            };
            // Four a turn: it is the jumps that are taken which cost, not what is loaded.
            while take() && take() && take() && take() {}
            drop(cursor);
            if base == self.root || !self.leave_chunk() {
                return;
            }
        }
    }

    /// Where the value that [`Arena::drain`] took last was registered.
    pub(crate) const fn last(&self) -> &'static Location<'static> {
        self.last.get()
    }

    /// Takes one value out, wherever it is. Its room is free again when all above it are gone.
    ///
    /// # Safety
    /// `place` must be of this arena, of an entry that was not taken yet.
    pub(crate) unsafe fn withdraw(&self, place: Place) -> Taken {
        // SAFETY: by the contract, a head is there.
        let head = unsafe { &mut *place.0.cast::<Head>() };
        let taken = Taken { act: head.act, at: head.at, value: head.value, place };
        (head.act, head.at) = (nothing, GONE);
        self.trim();
        taken
    }

    /// Keeps the room of the value that was popped last, as of one that was withdrawn: the value
    /// may stay there until the arena is popped or trimmed again; what is pushed comes above it.
    ///
    /// # Safety
    /// `place` must be of that value, and nothing may have been pushed since.
    #[cfg_attr(not(feature = "tokio"), expect(dead_code, reason = "only async cleanups stay"))]
    pub(crate) unsafe fn retain(&self, place: Place) {
        // SAFETY: by the contract, the head is still there, and ends where the top was.
        unsafe {
            let head = &mut *place.0.cast::<Head>();
            (head.act, head.at) = (nothing, GONE);
            self.top.set(place.0.add(HEAD));
        }
    }

    /// Gives back the room of withdrawn entries on top.
    fn trim(&self) {
        while self.top.get() != self.base.get() {
            // SAFETY: as in `pop`.
            let head = unsafe { self.top.get().sub(HEAD).cast::<Head>().read() };
            if !ptr::eq(head.at, GONE) {
                return;
            }
            self.top.set(head.value);
        }
    }

    /// Adds a chunk with room for `need` bytes.
    #[cold]
    #[inline(never)]
    fn grow(&self, need: usize) {
        let present = self.end.get() as usize - self.base.get() as usize;
        // First the two that are kept.
        let first = self.base.get() == self.root;
        let size = if first { block::SIZE } else { (2 * present).max(block::LARGE) };
        let size = size.max((need + BELOW).next_power_of_two());
        let start = block::take(size);
        let below = Below { base: self.base.get(), top: self.top.get(), end: self.end.get(), size };
        // SAFETY: the block is ours, `size` bytes long, and aligned to more than WORD.
        unsafe {
            start.cast::<Below>().write(below);
            self.base.set(start.add(BELOW));
            self.top.set(start.add(BELOW));
            self.end.set(start.add(size));
        }
    }

    /// Gives back the current, empty chunk, and says whether one with entries lies below.
    #[cold]
    #[inline(never)]
    fn leave_chunk(&self) -> bool {
        while self.base.get() != self.root {
            // SAFETY: every chunk but the lowest begins with a `Below`; a block of `size` bytes
            // begins there, and nothing in it is used any more.
            unsafe {
                let start = self.base.get().sub(BELOW);
                let below = start.cast::<Below>().read();
                self.base.set(below.base);
                self.top.set(below.top);
                self.end.set(below.end);
                block::give(start, below.size);
            }
            if self.top.get() != self.base.get() {
                return true;
            }
        }
        false
    }
}

impl Drop for Arena {
    #[inline(always)]
    fn drop(&mut self) {
        while let Some(taken) = self.pop() {
            taken.discard();
        }
    }
}

impl fmt::Debug for Arena {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Arena").field("empty", &self.is_empty()).finish()
    }
}
