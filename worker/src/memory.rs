//! The module's memory as JavaScript sees it: addresses and lengths, checked before they are slices.

use alloc::alloc::{Layout, alloc_zeroed, dealloc};

/// Enough for any vector.
const ALIGNMENT: usize = 16;

pub(crate) fn allocate(bytes: usize) -> *mut u8 {
    match layout(bytes) {
        // SAFETY: the layout has a size above zero.
        Some(layout) => unsafe { alloc_zeroed(layout) },
        None => core::ptr::null_mut(),
    }
}

/// # Safety
/// As for [`crate::release`].
pub(crate) unsafe fn release(address: *mut u8, bytes: usize) {
    if let (Some(layout), false) = (layout(bytes), address.is_null()) {
        // SAFETY: the caller vouches that `allocate` made it with this layout.
        unsafe { dealloc(address, layout) }
    }
}

fn layout(bytes: usize) -> Option<Layout> {
    let layout = Layout::from_size_align(bytes, ALIGNMENT).ok()?;
    (bytes > 0).then_some(layout)
}

/// # Safety
/// At `address` are `count` entries that nobody changes while they are used.
pub(crate) unsafe fn entries_at<'a>(address: *const f64, count: usize) -> Option<&'a [f64]> {
    check_address(address, count)?;
    // SAFETY: aligned and inside the memory; the caller vouches for the rest.
    Some(unsafe { core::slice::from_raw_parts(address, count) })
}

/// # Safety
/// At `address` is room for `count` entries that nobody else uses meanwhile.
pub(crate) unsafe fn entries_at_mut<'a>(address: *mut f64, count: usize) -> Option<&'a mut [f64]> {
    check_address(address, count)?;
    // SAFETY: aligned and inside the memory; the caller vouches for the rest.
    Some(unsafe { core::slice::from_raw_parts_mut(address, count) })
}

/// # Safety
/// As for [`entries_at`].
pub(crate) unsafe fn bytes_at<'a>(address: *const u8, count: usize) -> Option<&'a [u8]> {
    check_address(address, count)?;
    // SAFETY: inside the memory; the caller vouches for the rest.
    Some(unsafe { core::slice::from_raw_parts(address, count) })
}

/// # Safety
/// As for [`entries_at_mut`].
pub(crate) unsafe fn bytes_at_mut<'a>(address: *mut u8, count: usize) -> Option<&'a mut [u8]> {
    check_address(address, count)?;
    // SAFETY: inside the memory; the caller vouches for the rest.
    Some(unsafe { core::slice::from_raw_parts_mut(address, count) })
}

/// Whether two stretches of entries share no byte.
pub(crate) fn are_disjoint(left: (*const f64, usize), right: (*mut f64, usize)) -> bool {
    let end = |first: usize, count: usize| first.saturating_add(count.saturating_mul(8));
    let (left_first, right_first) = (left.0.addr(), right.0.addr());
    end(left_first, left.1) <= right_first || end(right_first, right.1) <= left_first
}

/// Refuses what cannot be a slice, and in WebAssembly what is not in the memory.
fn check_address<T>(address: *const T, count: usize) -> Option<()> {
    let bytes = count.checked_mul(size_of::<T>())?;
    let end = address.addr().checked_add(bytes)?;
    let is_slice = !address.is_null() && address.is_aligned() && isize::try_from(bytes).is_ok();
    (is_slice && end <= memory_bytes()).then_some(())
}

#[cfg(target_arch = "wasm32")]
fn memory_bytes() -> usize {
    const PAGE_BYTES: usize = 1 << 16;
    core::arch::wasm32::memory_size(0).saturating_mul(PAGE_BYTES)
}

#[cfg(not(target_arch = "wasm32"))]
fn memory_bytes() -> usize {
    usize::MAX
}
