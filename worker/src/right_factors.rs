//! The right factors that a page holds, by handle.

use alloc::vec;
use alloc::vec::Vec;

use kernel::cut::Rectangle;
use kernel::seeded::SeededMatrix;
use kernel::{Kernel, PackedRight, RightPacker};
use spin::Mutex;

use crate::Handle;

/// Factors held at once. A page works on few jobs at a time and its memory ends before this does.
const FACTORS_MAX: usize = 1024;
/// Entries that are made from a seed before they are packed: little enough for any cache.
const SEEDED_ENTRIES: usize = 4096;

/// The factors of this module. An instance has one thread, so nobody ever waits.
static FACTORS: Mutex<RightFactors> = Mutex::new(RightFactors(Vec::new()));

/// Runs an operation on the factors of this module.
pub(crate) fn with_factors<T>(operation: impl FnOnce(&mut RightFactors) -> T) -> T {
    // An instance that trapped within an operation and is used all the same traps here again.
    let mut factors = FACTORS
        .try_lock()
        .expect("an instance has one thread, and is dropped once it has trapped");
    operation(&mut factors)
}

/// All factors; a handle is a place in the list plus one.
#[derive(Debug)]
pub(crate) struct RightFactors(Vec<Option<RightFactor>>);

#[derive(Debug)]
enum RightFactor {
    Open(OpenFactor),
    Packed(PackedRight),
}

/// A factor whose rows are still coming.
#[derive(Debug)]
pub(crate) struct OpenFactor {
    packer: RightPacker,
    inner: usize,
    cols: usize,
}

impl RightFactors {
    /// The new factor's handle, or 0.
    pub(crate) fn begin(&mut self, kernel: Kernel, inner: usize, cols: usize) -> Handle {
        let place = self
            .0
            .iter()
            .position(Option::is_none)
            .unwrap_or(self.0.len());
        if inner == 0 || cols == 0 || place >= FACTORS_MAX || !has_room(kernel, inner, cols) {
            return 0;
        }
        let Ok(handle) = Handle::try_from(place + 1) else {
            return 0;
        };
        if place == self.0.len() {
            self.0.push(None);
        }
        let packer = kernel.pack_right(inner, cols);
        self.0[place] = Some(RightFactor::Open(OpenFactor {
            packer,
            inner,
            cols,
        }));
        handle
    }

    pub(crate) fn packer(&mut self, handle: Handle) -> Option<&mut OpenFactor> {
        match self.place(handle)? {
            Some(RightFactor::Open(factor)) => Some(factor),
            _ => None,
        }
    }

    pub(crate) fn packed(&mut self, handle: Handle) -> Option<&PackedRight> {
        match self.place(handle)? {
            Some(RightFactor::Packed(packed)) => Some(packed),
            _ => None,
        }
    }

    pub(crate) fn finish(&mut self, handle: Handle) -> Option<()> {
        let place = self.place(handle)?;
        match place.take() {
            Some(RightFactor::Open(factor)) if factor.rows_missing() == 0 => {
                *place = Some(RightFactor::Packed(factor.packer.finish().ok()?));
                Some(())
            }
            other => {
                *place = other;
                None
            }
        }
    }

    pub(crate) fn drop(&mut self, handle: Handle) -> Option<()> {
        self.place(handle)?.take().map(|_| ())
    }

    fn place(&mut self, handle: Handle) -> Option<&mut Option<RightFactor>> {
        self.0
            .get_mut(usize::try_from(handle).ok()?.checked_sub(1)?)
    }
}

impl OpenFactor {
    pub(crate) fn cols(&self) -> usize {
        self.cols
    }

    /// Takes the next rows; refuses more than are missing.
    pub(crate) fn push(&mut self, rows: usize, entries: &[f64]) -> Option<()> {
        (rows <= self.rows_missing()).then(|| self.packer.push_rows(entries))
    }

    /// Makes the next rows, those of the rectangle; refuses more than are missing.
    pub(crate) fn push_seeded(&mut self, matrix: SeededMatrix, part: &Rectangle) -> Option<()> {
        if part.rows.len() > self.rows_missing() {
            return None;
        }
        let rows_at_once = (SEEDED_ENTRIES / self.cols).max(1);
        let mut entries = vec![0.0; rows_at_once * self.cols];
        let mut row = part.rows.start;
        while row < part.rows.end {
            let end = part
                .rows
                .end
                .min(row.saturating_add(u32::try_from(rows_at_once).ok()?));
            let rectangle = Rectangle {
                rows: row..end,
                cols: part.cols.clone(),
            };
            let entries = &mut entries[..rectangle.rows.len() * self.cols];
            matrix.fill(&rectangle, entries);
            self.packer.push_rows(entries);
            row = end;
        }
        Some(())
    }

    fn rows_missing(&self) -> usize {
        self.inner - self.packer.rows_taken()
    }
}

/// Whether the packed factor fits: asking and giving back is what tells without a trap.
fn has_room(kernel: Kernel, inner: usize, cols: usize) -> bool {
    const SPARE_ENTRIES: usize = 1 << 17;
    let (_, tile_cols) = kernel.tile();
    let count = cols
        .checked_next_multiple_of(tile_cols)
        .and_then(|width| width.checked_mul(inner))
        .and_then(|count| count.checked_add(SPARE_ENTRIES));
    count.is_some_and(|count| Vec::<f64>::new().try_reserve_exact(count).is_ok())
}
