//! The memory of a scope: values of different types, newest on top, one after the other.
//!
//! Values lie upwards from the beginning of a chunk of memory, and for each a [`Head`] that says
//! what can be done with it lies downwards from its end; a value of one word lies in its head. So the
//! heads are an array, and the next one is known before a value is run or even looked at. Values
//! never move while they are here: a reference to one stays good until it is taken. The first chunk
//! is either a [`Buffer`] on the machine's stack or a block that the thread keeps for reuse; a scope
//! that outgrows it adds chunks of doubling size and gives them back on the way.
//!
//! What is rare (a new chunk, a chunk that is left) is done by functions that get and return words,
//! never the arena's address: so where an arena is a local, the compiler keeps it in registers.
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

/// What can be done with a value of one type, which [`locate`] finds by the first pointer: it is moved
/// out and run with what the second one points at, as agreed between who pushes and who takes. One
/// function rather than a table of them, because every entry of every scope loads it.
pub(crate) type Act = unsafe fn(*mut u8, *mut (), At);

/// Where a value was registered. The lowest bit says whether the value lies in its head: it is taken
/// off by who asks for the place, which few do.
#[derive(Clone, Copy)]
pub(crate) struct At(*const Location<'static>);

const _: () = assert!(align_of::<Location<'static>>() > 1);

impl At {
    #[inline(always)]
    fn of<T>(location: &'static Location<'static>) -> Self {
        let location = ptr::from_ref(location);
        Self(if lies_in_head::<T>() { location.wrapping_byte_add(1) } else { location })
    }

    /// A value was withdrawn that was kept as this one.
    fn gone(self) -> Self {
        let gone = ptr::from_ref(GONE);
        Self(if self.is_in_head() { gone.wrapping_byte_add(1) } else { gone })
    }

    #[inline(always)]
    fn is_in_head(self) -> bool {
        self.0.addr() & 1 != 0
    }

    #[inline(always)]
    pub(crate) fn location(self) -> &'static Location<'static> {
        // SAFETY: without that bit it is what it was made from.
        unsafe { &*self.0.map_addr(|address| address & !1) }
    }
}

/// Whether a value of this type is kept in its head.
const fn lies_in_head<T>() -> bool {
    size_of::<T>() <= size_of::<*mut u8>() && align_of::<T>() <= align_of::<*mut u8>()
}

/// Where the value is of an entry that was taken.
///
/// # Safety
/// The pointer is of [`Taken::slot`], and the value a `T`.
#[inline(always)]
pub(crate) unsafe fn locate<T>(slot: *mut u8) -> *mut T {
    if lies_in_head::<T>() {
        return slot.cast();
    }
    // SAFETY: by the contract its address is there.
    unsafe { slot.cast::<*mut T>().read() }
}

/// One for every value. Aligned so that they are an array where pointers are shorter.
///
/// Read and written field by field: somebody may have a reference to the value in it.
#[derive(Clone, Copy)]
#[repr(C, align(8))]
struct Head {
    act: Act,
    at: At,
    /// The value, or where it begins, which is where the top was before it came.
    slot: MaybeUninit<*mut u8>,
}

const HEAD: usize = size_of::<Head>();

/// Ends every chunk but a [`Buffer`]: the chunk below it, and its own size.
#[repr(C, align(8))]
struct Below {
    top: *mut u8,
    heads: *mut u8,
    limit: *mut u8,
    size: usize,
}

const BELOW: usize = size_of::<Below>();

const _: () = assert!(HEAD.is_multiple_of(WORD) && BELOW.is_multiple_of(WORD));

/// Where a value was registered that was taken from the middle: nowhere else, so that it can be told
/// by it. It is a static because a constant may have another address wherever it is used.
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
/// Invariants: `top <= heads <= limit`, all in the current chunk and multiples of [`WORD`] (or all
/// null). From the beginning of the chunk to `top` lie whole values, live or withdrawn, but for those
/// that lie in their heads; from `heads` to `limit` lies a head for each, the newest lowest. `root` is
/// the `limit` of the lowest chunk: the buffer's end, or null where there is none. At the `limit` of
/// every other chunk is a [`Below`]. Above the last whole value there may be room that is not used
/// yet: it is found again when the chunk is left, if not before.
#[repr(C)]
pub(crate) struct Arena {
    top: Cell<*mut u8>,
    // Between the two that are written together: side by side, the compiler keeps them in one wide
    // register, and takes them apart again for each value.
    limit: Cell<*mut u8>,
    heads: Cell<*mut u8>,
    root: *mut u8,
    last: Cell<&'static Location<'static>>,
}

/// How far who takes values has come, in a register: see [`Arena::cursor`].
#[derive(Clone, Copy)]
pub(crate) struct Cursor {
    heads: *mut u8,
}

impl Cursor {
    /// Takes the newest value of the chunk whose limit this is.
    ///
    /// # Safety
    /// It is a cursor of the arena's current chunk, and nothing was pushed since it was made.
    #[inline(always)]
    unsafe fn take(&mut self, limit: *mut u8) -> Option<Taken> {
        if self.heads == limit {
            return None;
        }
        // SAFETY: by the contract a head is there, and another one or `limit` above it.
        unsafe {
            let taken = Taken::of(self.heads.cast());
            self.heads = self.heads.add(HEAD);
            Some(taken)
        }
    }
}

/// A value that was taken: to be run or discarded before the arena is used again.
#[must_use = "the value is neither run nor dropped"]
pub(crate) struct Taken {
    pub(crate) act: Act,
    pub(crate) at: At,
    /// What [`locate`] finds the value by.
    pub(crate) slot: *mut u8,
}

impl Taken {
    /// # Safety
    /// A head is there.
    #[inline(always)]
    unsafe fn of(head: *mut Head) -> Self {
        // SAFETY: by the contract.
        unsafe { Self { act: (*head).act, at: (*head).at, slot: (&raw mut (*head).slot).cast() } }
    }

    /// Whether this is only the room of a value that was withdrawn.
    #[inline]
    pub(crate) fn is_gone(&self) -> bool {
        ptr::eq(self.at.location(), GONE)
    }
}

/// Where an entry's head is, and how much room it has outside of it. Good until that entry is taken.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    head: *mut u8,
    room: usize,
}

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
        let start: *mut u8 = buffer.0.get().cast();
        // SAFETY: one past the end of the buffer, whose size this is.
        let limit = unsafe { start.add(size_of::<Buffer>()) };
        Self::of(start, limit)
    }

    #[inline(always)]
    const fn of(start: *mut u8, root: *mut u8) -> Self {
        let (top, heads, limit) = (Cell::new(start), Cell::new(root), Cell::new(root));
        Self { top, heads, limit, root, last: Cell::new(GONE) }
    }

    /// Moves all that is here to another arena. This one is of no more use, but its address was given
    /// to nobody: see the module.
    #[inline(always)]
    pub(crate) fn take(&self) -> Self {
        let Self { top, heads, limit, root, last } = self;
        let last = last.clone();
        let [top, heads, limit] = [top, heads, limit].map(|cell| Cell::new(cell.replace(*root)));
        Self { top, heads, limit, root: *root, last }
    }

    /// Whether nothing is left. An entry that was withdrawn may still count as something.
    #[inline(always)]
    pub(crate) fn is_empty(&self) -> bool {
        self.heads.get() == self.root
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
        let room =
            const { if lies_in_head::<T>() { 0 } else { size_of::<T>().next_multiple_of(WORD) } };
        self.make_room(room);
        let (start, head) = (self.top.get(), self.next_head());
        // SAFETY: there is room for both now, and `start` is aligned to WORD. The arena is told last:
        // so the compiler knows what it says, whatever may have been overwritten before.
        unsafe {
            (&raw mut (*head).act).write(act);
            (&raw mut (*head).at).write(At::of::<T>(at));
            let slot = (&raw mut (*head).slot).cast::<u8>();
            if !lies_in_head::<T>() {
                slot.cast::<*mut u8>().write(start);
            }
            let kept = locate::<T>(slot);
            kept.write(value);
            (self.keep(head, room), kept)
        }
    }

    /// Makes room for a head and for so much of a value.
    #[inline(always)]
    fn make_room(&self, room: usize) {
        if self.heads.get() as usize - (self.top.get() as usize) < room + HEAD {
            self.grow(room + HEAD);
        }
    }

    /// Where the head of the next value goes.
    #[inline(always)]
    const fn next_head(&self) -> *mut Head {
        self.heads.get().wrapping_sub(HEAD).cast()
    }

    /// Takes in a value of so much room outside of its head, which was written in the next places.
    ///
    /// # Safety
    /// Room was made for it.
    #[inline(always)]
    unsafe fn keep(&self, head: *mut Head, room: usize) -> Place {
        self.heads.set(head.cast());
        if room > 0 {
            // SAFETY: by the contract.
            self.top.set(unsafe { self.top.get().add(room) });
        }
        Place { head: head.cast(), room }
    }

    /// Moves one value to another arena, as its newest.
    ///
    /// # Safety
    /// As for [`Arena::withdraw`]; the value must be movable, and `to` of the same use: it runs
    /// its entries with the same kind of context, and before what they borrow ends.
    pub(crate) unsafe fn transfer(&self, place: Place, gone: Act, to: &Self) -> Place {
        // SAFETY: by the contract. Should both be one arena, the withdrawn room may be on top of it,
        // where the value lies already: hence its head is read before, and a copy may overlap.
        unsafe {
            let mut slot = (*place.head.cast::<Head>()).slot;
            let Taken { act, at, .. } = self.withdraw(place, gone);
            to.make_room(place.room);
            if !at.is_in_head() {
                let start = to.top.get();
                ptr::copy(slot.assume_init(), start, place.room);
                slot.write(start);
            }
            let head = to.next_head();
            head.write(Head { act, at, slot });
            to.keep(head, place.room)
        }
    }

    /// Takes the newest value.
    #[cfg(feature = "tokio")]
    #[inline(always)]
    pub(crate) fn pop(&self) -> Option<Taken> {
        let mut cursor = self.cursor();
        // SAFETY: nothing else is done with the arena meanwhile.
        unsafe {
            let taken = self.pop_at(&mut cursor);
            self.settle(cursor);
            taken
        }
    }

    /// Where taking begins. What was taken by it is still here for everybody else, until the arena
    /// is told by [`Arena::settle`].
    #[inline(always)]
    pub(crate) const fn cursor(&self) -> Cursor {
        Cursor { heads: self.heads.get() }
    }

    /// Ends the use of a cursor: what was taken by it is here no more.
    ///
    /// # Safety
    /// It is of the current chunk, and nothing was done with the arena since it was made.
    #[inline(always)]
    pub(crate) unsafe fn settle(&self, cursor: Cursor) {
        let before = self.heads.get();
        if cursor.heads == before {
            return;
        }
        self.heads.set(cursor.heads);
        // SAFETY: the heads of what was taken are still there, the last one highest.
        unsafe {
            let last = cursor.heads.sub(HEAD).cast::<Head>();
            self.last.set((*last).at.location());
            if cursor.heads != self.limit.get() {
                self.lower(last, before.cast());
            }
        }
    }

    /// Finds the room again of what was taken: from the value on that was taken last of those that
    /// do not lie in their heads.
    ///
    /// # Safety
    /// All heads from `last` down to `first` are there.
    #[inline(always)]
    unsafe fn lower(&self, mut last: *mut Head, first: *mut Head) {
        // SAFETY: by the contract.
        unsafe {
            while (*last).at.is_in_head() {
                if last == first {
                    return;
                }
                last = last.sub(1);
            }
            self.top.set((*last).slot.assume_init());
        }
    }

    /// Takes the newest value. If there is none, the cursor has come to the end of all.
    ///
    /// # Safety
    /// It is this arena's only cursor, and nothing but this was done with the arena since it was
    /// made.
    #[cfg(feature = "tokio")]
    #[inline(always)]
    pub(crate) unsafe fn pop_at(&self, cursor: &mut Cursor) -> Option<Taken> {
        // SAFETY: by the contract.
        if let Some(taken) = unsafe { cursor.take(self.limit.get()) } {
            return Some(taken);
        }
        // SAFETY: by the contract.
        unsafe { self.settle(*cursor) };
        let left = self.leave_chunk();
        *cursor = self.cursor();
        // SAFETY: it was made just now.
        if left { unsafe { cursor.take(self.limit.get()) } } else { None }
    }

    /// Takes all values, newest first. A panic in `each` comes out: what was not taken stays, and
    /// [`Arena::last`] tells which value it was. Nothing may be pushed meanwhile.
    #[inline(always)]
    pub(crate) fn drain(&self, mut each: impl FnMut(Taken)) {
        struct Draining<'a> {
            arena: &'a Arena,
            cursor: Cursor,
        }
        impl Drop for Draining<'_> {
            #[inline(always)]
            fn drop(&mut self) {
                // SAFETY: nothing else was done with the arena.
                unsafe { self.arena.settle(self.cursor) };
            }
        }
        loop {
            let mut draining = Draining { arena: self, cursor: self.cursor() };
            let limit = self.limit.get();
            let mut take = || {
                // SAFETY: it is of the current chunk, and nothing is pushed meanwhile.
                let taken = unsafe { draining.cursor.take(limit) };
                taken.map(&mut each).is_some()
            };
            // Four a turn: it is the jumps that are taken which cost, not what is loaded.
            while take() && take() && take() && take() {}
            drop(draining);
            if !self.leave_chunk() {
                return;
            }
        }
    }

    /// Where the value that [`Arena::drain`] took last was registered.
    #[inline(always)]
    pub(crate) const fn last(&self) -> &'static Location<'static> {
        self.last.get()
    }

    /// Takes one value out, wherever it is. Its room is free again when all above it are gone; until
    /// then, `gone` is done instead.
    ///
    /// # Safety
    /// `place` must be of this arena, of an entry that was not taken yet. `gone` must not touch the
    /// value.
    pub(crate) unsafe fn withdraw(&self, place: Place, gone: Act) -> Taken {
        // SAFETY: by the contract, a head is there.
        let taken = unsafe {
            let head = place.head.cast::<Head>();
            let taken = Taken::of(head);
            ((*head).act, (*head).at) = (gone, taken.at.gone());
            taken
        };
        self.trim();
        taken
    }

    /// Keeps the room of the value that the cursor took last, as of one that was withdrawn: the value
    /// may stay there until the arena is popped or trimmed again; what is pushed comes above it.
    ///
    /// # Safety
    /// There is such a value, and nothing was done with the arena since. `gone` must not touch it.
    #[cfg(feature = "tokio")]
    pub(crate) unsafe fn retain(&self, cursor: &mut Cursor, gone: Act) {
        // SAFETY: by the contract, the head is still there.
        unsafe {
            cursor.heads = cursor.heads.sub(HEAD);
            let head = cursor.heads.cast::<Head>();
            ((*head).act, (*head).at) = (gone, (*head).at.gone());
        }
    }

    /// Gives back the room of withdrawn entries on top.
    fn trim(&self) {
        let (mut cursor, limit) = (self.cursor(), self.limit.get());
        // SAFETY: it is of the current chunk, and nothing else is done with the arena meanwhile.
        // Where it says so, the slot has the address of a value that nobody uses any more.
        while let Some(gone) = unsafe { cursor.take(limit) }.filter(Taken::is_gone) {
            if !gone.at.is_in_head() {
                // SAFETY: as above.
                self.top.set(unsafe { gone.slot.cast::<*mut u8>().read() });
            }
            self.heads.set(cursor.heads);
        }
    }

    /// Adds a chunk with room for `need` bytes.
    #[inline(always)]
    fn grow(&self, need: usize) {
        let (top, heads, limit) = (self.top.get(), self.heads.get(), self.limit.get());
        let (start, limit) = add_chunk(top, heads, limit, self.root, need);
        self.top.set(start);
        self.heads.set(limit);
        self.limit.set(limit);
    }

    /// Gives back the current, empty chunk, and says whether one with entries lies below.
    #[inline(always)]
    fn leave_chunk(&self) -> bool {
        if self.limit.get() == self.root {
            return false;
        }
        let [top, heads, limit] = remove_chunk(self.limit.get(), self.root);
        self.top.set(top);
        self.heads.set(heads);
        self.limit.set(limit);
        heads != limit
    }
}

/// Makes a chunk with room for `need` bytes, above the one that is given, and returns its beginning
/// and its limit.
#[cold]
#[inline(never)]
fn add_chunk(
    top: *mut u8,
    heads: *mut u8,
    limit: *mut u8,
    root: *mut u8,
    need: usize,
) -> (*mut u8, *mut u8) {
    let least = (need + BELOW).next_power_of_two();
    let (start, size) = if limit != root {
        // SAFETY: every chunk but the lowest ends with a `Below`.
        let present = unsafe { limit.cast::<Below>().read() }.size;
        block::take(least.max(2 * present).max(block::LARGE))
    } else if root.is_null() {
        block::take(least.max(block::SIZE))
    } else {
        // It has outgrown its buffer, and soon gives back what it takes.
        block::take_large_or(least.max(block::SIZE))
    };
    // SAFETY: the block is ours, `size` bytes long, and aligned to more than WORD.
    unsafe {
        let end = start.add(size - BELOW);
        end.cast::<Below>().write(Below { top, heads, limit, size });
        (start, end)
    }
}

/// Gives back the chunk with this limit and all empty ones below it, and returns top, heads and limit
/// of the next one.
#[cold]
#[inline(never)]
fn remove_chunk(mut limit: *mut u8, root: *mut u8) -> [*mut u8; 3] {
    loop {
        // SAFETY: every chunk but the lowest ends with a `Below`; a block of `size` bytes ends there,
        // and nothing in it is used any more.
        let below = unsafe {
            let below = limit.cast::<Below>().read();
            block::give(limit.add(BELOW).sub(below.size), below.size);
            below
        };
        limit = below.limit;
        if below.heads != limit || limit == root {
            return [below.top, below.heads, limit];
        }
    }
}

impl fmt::Debug for Arena {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Arena").field("empty", &self.is_empty()).finish()
    }
}
