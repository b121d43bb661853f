//! Blocks of memory, kept by each thread for reuse, so that a scope in steady state asks the
//! allocator for nothing.

use core::cell::Cell;
use core::ptr::null_mut;
use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// The size of most blocks that are kept.
pub(crate) const SIZE: usize = 1024;

/// The size of the one larger block that is kept, for a scope that registers in a loop: a hundred
/// closures that capture three words go in. All others come from the allocator and go back to it.
pub(crate) const LARGE: usize = 8192;

/// What a block is aligned to.
pub(crate) const ALIGN: usize = 16;

/// A thread keeps at most this many of [`SIZE`]: with the larger one 16 KiB.
const KEPT: usize = 8;

/// How often a block was taken from the allocator.
static ALLOCATED: AtomicU64 = AtomicU64::new(0);

/// A kept block's first word points to the next.
struct Cache {
    first: Cell<*mut u8>,
    count: Cell<usize>,
    large: Cell<*mut u8>,
}

thread_local! {
    static CACHE: Cache = const { Cache {
        first: Cell::new(null_mut()),
        count: Cell::new(0),
        large: Cell::new(null_mut()),
    } };
}

impl Drop for Cache {
    fn drop(&mut self) {
        let mut next = self.first.replace(null_mut());
        while !next.is_null() {
            let block = next;
            // SAFETY: a kept block's first word is the pointer that `give` wrote there.
            next = unsafe { block.cast::<*mut u8>().read() };
            // SAFETY: `give` keeps only blocks of this layout, and nobody else has this one.
            unsafe { dealloc(block, layout(SIZE)) };
        }
        let large = self.large.replace(null_mut());
        if !large.is_null() {
            // SAFETY: as above, with the layout of this one.
            unsafe { dealloc(large, layout(LARGE)) };
        }
    }
}

const fn layout(size: usize) -> Layout {
    match Layout::from_size_align(size, ALIGN) {
        Ok(layout) => layout,
        Err(_) => panic!("a value that is larger than half of the address space"),
    }
}

/// A block of `size` bytes, [`SIZE`] or more, aligned to [`ALIGN`]; and its size.
pub(crate) fn take(size: usize) -> (*mut u8, usize) {
    let kept = match size {
        SIZE => CACHE.try_with(|cache| {
            let block = cache.first.get();
            if !block.is_null() {
                // SAFETY: a kept block's first word is the pointer that `give` wrote there.
                cache.first.set(unsafe { block.cast::<*mut u8>().read() });
                cache.count.set(cache.count.get() - 1);
            }
            block
        }),
        LARGE => CACHE.try_with(|cache| cache.large.replace(null_mut())),
        _ => Ok(null_mut()),
    };
    match kept {
        Ok(block) if !block.is_null() => (block, size),
        _ => (allocate(size), size),
    }
}

/// Like [`take`]; but where that is enough, it is the larger block if the thread has it at hand.
pub(crate) fn take_large_or(size: usize) -> (*mut u8, usize) {
    let kept = CACHE.try_with(|cache| match size {
        ..=LARGE => cache.large.replace(null_mut()),
        _ => null_mut(),
    });
    match kept {
        Ok(block) if !block.is_null() => (block, LARGE),
        _ => take(size),
    }
}

#[cold]
fn allocate(size: usize) -> *mut u8 {
    ALLOCATED.fetch_add(1, Relaxed);
    // SAFETY: the size is not zero.
    let block = unsafe { alloc(layout(size)) };
    if block.is_null() {
        handle_alloc_error(layout(size));
    }
    block
}

/// Gives a block back.
///
/// # Safety
/// It came from [`take`] with the same size, and is not used again.
pub(crate) unsafe fn give(block: *mut u8, size: usize) {
    let kept = match size {
        SIZE => CACHE.try_with(|cache| {
            let count = cache.count.get();
            if count < KEPT {
                // SAFETY: the block is ours, and longer than a pointer.
                unsafe { block.cast::<*mut u8>().write(cache.first.get()) };
                cache.first.set(block);
                cache.count.set(count + 1);
            }
            count < KEPT
        }),
        LARGE => CACHE.try_with(|cache| {
            let free = cache.large.get().is_null();
            if free {
                cache.large.set(block);
            }
            free
        }),
        _ => Ok(false),
    };
    if !kept.unwrap_or(false) {
        // SAFETY: by the contract; `take` made it with this layout.
        unsafe { dealloc(block, layout(size)) };
    }
}

/// How many blocks scopes have asked the allocator for, in this process. In steady state it stands
/// still; one that climbs with the load tells of scopes that outgrow what a thread keeps.
///
/// ```
/// use rearguard::{blocks_allocated, scope};
///
/// scope(|s| s.defer(|| {}));
/// assert_eq!(blocks_allocated(), 0, "a small scope takes none");
/// let room = [0_u8; 2000];
/// scope(|s| s.defer(move || drop(room)));
/// assert_eq!(blocks_allocated(), 1);
/// ```
#[must_use]
pub fn blocks_allocated() -> u64 {
    ALLOCATED.load(Relaxed)
}
