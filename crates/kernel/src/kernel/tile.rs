//! The inner loop of every kernel, written once over a small vector type.
//!
//! A tile is a rectangle of C that fits the registers: `ROWS` rows of `VECTORS` vectors. For each k
//! it loads `VECTORS` vectors of a packed panel of B, broadcasts `ROWS` entries of a packed panel
//! of A, and adds each product to its accumulator. With 12 or more accumulators the latency of the
//! addition is hidden, and on processors that add and multiply in separate pipes the loop runs as
//! fast as its fused twin.
#![expect(
    unsafe_code,
    reason = "loads and stores of whole vectors; bounds are checked once per tile, not per entry"
)]

/// Entries in a cache line.
pub(super) const LINE_ENTRIES: usize = 8;

/// A vector register of f64 lanes.
///
/// # Safety
/// Every function may only be called on a processor that has the instructions of its
/// implementation; an [`Engine`] value is the proof. Pointers must be valid for all lanes.
pub(super) unsafe trait Vector: Copy {
    /// Number of f64 in one vector.
    const LANES: usize;
    /// How many k pass between two lines that are asked for ahead.
    const KS_PER_LINE_AHEAD: usize = 1;

    /// +0.0 in all lanes.
    unsafe fn zero() -> Self;
    /// The same entry in all lanes.
    unsafe fn broadcast(source: *const f64) -> Self;
    /// Consecutive entries; no alignment needed.
    unsafe fn load(source: *const f64) -> Self;
    /// Stores consecutive entries, every NaN as the canonical one; no alignment needed.
    unsafe fn store_canonical(self, target: *mut f64);
    /// The lane-wise product, rounded.
    unsafe fn multiply(self, other: Self) -> Self;
    /// The lane-wise sum, rounded.
    unsafe fn add(self, other: Self) -> Self;
    /// The entry at `left` times `right`, rounded, plus `self`, rounded.
    #[inline(always)]
    unsafe fn add_rounded_product(self, left: *const f64, right: Self) -> Self {
        // SAFETY: the caller vouches for the instructions and for the entry.
        unsafe { self.add(Self::broadcast(left).multiply(right)) }
    }
    /// Adds all rounded products of a tile to its sums; the panels are as [`accumulate`] says.
    #[inline(always)]
    unsafe fn add_rounded_products<const ROWS: usize, const VECTORS: usize, const WIDTH: usize>(
        sums: &mut [[Self; VECTORS]; ROWS],
        panels: Panels,
    ) {
        // SAFETY: passed on to the caller.
        unsafe {
            for_each_product::<Self, ROWS, VECTORS, WIDTH>(sums, panels, Self::add_rounded_product)
        }
    }
    /// The whole of [`accumulate`] with rounded products, where there is a function for such a tile. False when
    /// there is none, and nothing was done.
    #[inline(always)]
    unsafe fn accumulate_rounded<const ROWS: usize, const VECTORS: usize, const WIDTH: usize>(
        _panels: Panels,
        _product: *mut f64,
        _stride: usize,
        _is_first: bool,
    ) -> bool {
        false
    }
    /// The entry at `left` times `right` plus `self`, rounded once where there is such an instruction,
    /// else twice.
    unsafe fn add_product(self, left: *const f64, right: Self) -> Self;
    /// Asks for the cache line there, if the processor can be asked.
    unsafe fn prefetch(_source: *const f64) {}
    /// Asks for the cache line there, but leaves the first-level cache as it is.
    unsafe fn prefetch_to_second_level(_source: *const f64) {}
}

/// One call of the inner loop.
#[derive(Debug)]
pub(super) struct Tile<'a> {
    /// A panel of A: for each k, `rows` entries.
    pub(super) left: &'a [f64],
    /// A panel of B: for each k, [`Engine::COLUMNS`] entries.
    pub(super) right: &'a [f64],
    /// C from the tile's first entry on.
    pub(super) product: &'a mut [f64],
    /// Entries from one row of C to the next.
    pub(super) stride: usize,
    /// Rows of the tile, 1 to [`Engine::ROWS`].
    pub(super) rows: usize,
    /// Columns that are wanted, 1 to [`Engine::COLUMNS`]; the others may be computed or not.
    pub(super) cols: usize,
    /// Whether sums start from +0.0 (the first block of k) or from what C holds.
    pub(super) is_first: bool,
    /// A part of the panel of B that is next: it comes out of a far cache while this tile computes.
    pub(super) ahead: &'a [f64],
}

/// What the loop over k walks along.
#[derive(Clone, Copy)]
pub(super) struct Panels {
    pub(super) depth: usize,
    pub(super) left: *const f64,
    pub(super) right: *const f64,
    pub(super) ahead: Ahead,
}

/// The cache lines of [`Tile::ahead`], in turn; after them the one behind, again and again.
#[derive(Clone, Copy)]
pub(super) struct Ahead {
    line: *const f64,
    end: *const f64,
}

/// A proof that the processor has some instructions, and the tile written in them.
pub(super) trait Engine: Copy {
    /// Most rows of a tile.
    const ROWS: usize;
    /// Columns of a tile.
    const COLUMNS: usize;

    /// Adds the products of the two panels to the tile of C, in the order of k.
    ///
    /// # Panics
    /// When a slice is shorter than the tile needs.
    fn accumulate<const FUSED: bool>(self, tile: Tile<'_>);
}

/// The loop itself. Inlined into a function that enables the instructions of `V`.
///
/// # Safety
/// As for [`Vector`]. The panels hold depth · ROWS entries of A and depth · WIDTH · LANES of B, of which
/// the first VECTORS vectors of each k are used, and `product` ROWS rows of VECTORS · LANES entries that
/// are `stride` apart.
#[inline(always)]
pub(super) unsafe fn accumulate<
    V: Vector,
    const ROWS: usize,
    const VECTORS: usize,
    const WIDTH: usize,
    const FUSED: bool,
>(
    panels: Panels,
    product: *mut f64,
    stride: usize,
    is_first: bool,
) {
    // SAFETY: the caller vouches for the instructions and for the lengths.
    unsafe {
        if !FUSED
            && V::accumulate_rounded::<ROWS, VECTORS, WIDTH>(panels, product, stride, is_first)
        {
            return;
        }
        let mut sums = load_sums::<V, ROWS, VECTORS>(product, stride, is_first);
        if !is_first {
            // The tile below is next; its rows of C are in lines that nothing else asks for early. (Where
            // sums start from zero C is only written, and nobody waits for that.)
            for row in 0..ROWS {
                let below = product.wrapping_add((ROWS + row) * stride);
                for entry in (0..VECTORS * V::LANES).step_by(LINE_ENTRIES) {
                    V::prefetch(below.wrapping_add(entry));
                }
                V::prefetch(below.wrapping_add(VECTORS * V::LANES - 1));
            }
        }
        if FUSED {
            for_each_product::<V, ROWS, VECTORS, WIDTH>(&mut sums, panels, V::add_product);
        } else {
            V::add_rounded_products::<ROWS, VECTORS, WIDTH>(&mut sums, panels);
        }
        store_sums(&sums, product, stride);
    }
}

/// What the sums of a tile begin with.
///
/// # Safety
/// As for [`accumulate`].
#[inline(always)]
pub(super) unsafe fn load_sums<V: Vector, const ROWS: usize, const VECTORS: usize>(
    product: *const f64,
    stride: usize,
    is_first: bool,
) -> [[V; VECTORS]; ROWS] {
    // SAFETY: the caller vouches for the instructions and for the lengths.
    unsafe {
        let mut sums = [[V::zero(); VECTORS]; ROWS];
        if !is_first {
            for (row, sums) in sums.iter_mut().enumerate() {
                for (vector, sum) in sums.iter_mut().enumerate() {
                    *sum = V::load(product.add(row * stride + vector * V::LANES));
                }
            }
        }
        sums
    }
}

/// # Safety
/// As for [`accumulate`].
#[inline(always)]
pub(super) unsafe fn store_sums<V: Vector, const ROWS: usize, const VECTORS: usize>(
    sums: &[[V; VECTORS]; ROWS],
    product: *mut f64,
    stride: usize,
) {
    // SAFETY: the caller vouches for the instructions and for the lengths.
    unsafe {
        for (row, sums) in sums.iter().enumerate() {
            for (vector, sum) in sums.iter().enumerate() {
                sum.store_canonical(product.add(row * stride + vector * V::LANES));
            }
        }
    }
}

/// The panels from top to bottom: for each k every sum is replaced by what `add` makes of it, of the
/// entry of its row and of the vector of its column.
///
/// # Safety
/// As for [`accumulate`].
#[inline(always)]
pub(super) unsafe fn for_each_product<
    V: Vector,
    const ROWS: usize,
    const VECTORS: usize,
    const WIDTH: usize,
>(
    sums: &mut [[V; VECTORS]; ROWS],
    mut panels: Panels,
    add: unsafe fn(V, *const f64, V) -> V,
) {
    // SAFETY: the caller vouches for the instructions and for the lengths; the panels advance by exactly
    // what one k holds, `depth` times.
    unsafe {
        for _ in 0..panels.depth / V::KS_PER_LINE_AHEAD {
            V::prefetch_to_second_level(panels.ahead.next());
            for _ in 0..V::KS_PER_LINE_AHEAD {
                add_products_of_k::<V, ROWS, VECTORS, WIDTH>(sums, &mut panels, add);
            }
        }
        for _ in 0..panels.depth % V::KS_PER_LINE_AHEAD {
            add_products_of_k::<V, ROWS, VECTORS, WIDTH>(sums, &mut panels, add);
        }
    }
}

/// One step of [`for_each_product`].
///
/// # Safety
/// As for [`accumulate`], for one k.
#[inline(always)]
unsafe fn add_products_of_k<
    V: Vector,
    const ROWS: usize,
    const VECTORS: usize,
    const WIDTH: usize,
>(
    sums: &mut [[V; VECTORS]; ROWS],
    panels: &mut Panels,
    add: unsafe fn(V, *const f64, V) -> V,
) {
    // SAFETY: the caller vouches for the instructions and for the lengths.
    unsafe {
        let mut factors = [V::zero(); VECTORS];
        for (vector, factor) in factors.iter_mut().enumerate() {
            *factor = V::load(panels.right.add(vector * V::LANES));
        }
        for (row, sums) in sums.iter_mut().enumerate() {
            for (sum, factor) in sums.iter_mut().zip(factors) {
                *sum = add(*sum, panels.left.add(row), factor);
            }
        }
        panels.left = panels.left.add(ROWS);
        panels.right = panels.right.add(WIDTH * V::LANES);
    }
}

impl Panels {
    /// Where the loop over k starts.
    #[inline(always)]
    pub(super) fn new(depth: usize, left: &[f64], right: &[f64], ahead: &[f64]) -> Self {
        let ahead = ahead.as_ptr_range();
        Self {
            depth,
            left: left.as_ptr(),
            right: right.as_ptr(),
            ahead: Ahead {
                line: ahead.start,
                end: ahead.end,
            },
        }
    }
}

impl Ahead {
    /// Nothing to ask for, where a processor cannot be asked.
    #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
    pub(super) const NONE: Self = Self {
        line: core::ptr::null(),
        end: core::ptr::null(),
    };

    /// Where the next line is. To be asked for only, never read: it may lie behind the panels.
    #[inline(always)]
    pub(super) fn next(&mut self) -> *const f64 {
        let line = self.line;
        self.line = line.wrapping_add(LINE_ENTRIES).min(self.end);
        line
    }
}

impl Tile<'_> {
    /// Checks once what [`accumulate`] then relies on; returns the depth.
    #[inline(always)]
    pub(super) fn checked_depth<E: Engine>(&self) -> usize {
        let depth = self.right.len() / E::COLUMNS;
        assert!(
            self.rows >= 1 && self.left.len() >= depth * self.rows,
            "a panel of A is short"
        );
        assert!(
            self.product.len() >= (self.rows - 1) * self.stride + E::COLUMNS,
            "the tile reaches beyond C"
        );
        depth
    }
}

/// Implements [`Engine`] for a proof type: one instance of [`accumulate`] for each number of rows,
/// so that the last panel of A does no work for rows that are not there. Where a tile is many vectors
/// wide the narrower ones are named too, and the right edge of C does no work for vectors that are not
/// there.
macro_rules! implement_engine {
    (
        $engine:ty, vector: $vector:ty, vectors: $vectors:literal $(or $narrow:literal)*,
        rows: $rows_max:literal [$($rows:literal)*], $(#[$attribute:meta])*
    ) => {
        impl $crate::kernel::tile::Engine for $engine {
            const ROWS: usize = $rows_max;
            const COLUMNS: usize =
                $vectors * <$vector as $crate::kernel::tile::Vector>::LANES;

            #[inline]
            fn accumulate<const FUSED: bool>(self, tile: $crate::kernel::tile::Tile<'_>) {
                let depth = tile.checked_depth::<Self>();
                let vectors = tile
                    .cols
                    .div_ceil(<$vector as $crate::kernel::tile::Vector>::LANES);
                // SAFETY: `self` proves the instructions, `checked_depth` the lengths.
                unsafe {
                    match vectors {
                        $($narrow => run_rows::<$narrow, FUSED>(depth, tile),)*
                        _ => run_rows::<$vectors, FUSED>(depth, tile),
                    }
                }
            }
        }

        #[inline]
        unsafe fn run_rows<const VECTORS: usize, const FUSED: bool>(
            depth: usize,
            tile: $crate::kernel::tile::Tile<'_>,
        ) {
            // SAFETY: passed on to the caller.
            unsafe {
                match tile.rows {
                    $($rows => run::<$rows, VECTORS, FUSED>(depth, tile),)*
                    _ => unreachable!("a tile has at most {} rows", $rows_max),
                }
            }
        }

        $(#[$attribute])*
        unsafe fn run<const ROWS: usize, const VECTORS: usize, const FUSED: bool>(
            depth: usize,
            tile: $crate::kernel::tile::Tile<'_>,
        ) {
            // SAFETY: the caller holds the proof and has checked the lengths.
            unsafe {
                $crate::kernel::tile::accumulate::<$vector, ROWS, VECTORS, $vectors, FUSED>(
                    $crate::kernel::tile::Panels::new(depth, tile.left, tile.right, tile.ahead),
                    tile.product.as_mut_ptr(),
                    tile.stride,
                    tile.is_first,
                );
            }
        }
    };
}
pub(super) use implement_engine;
