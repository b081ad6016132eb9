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
    /// Adds all rounded products of a tile to its sums: see [`accumulate`], whose lengths are these.
    #[inline(always)]
    unsafe fn add_rounded_products<const ROWS: usize, const VECTORS: usize, const WIDTH: usize>(
        sums: &mut [[Self; VECTORS]; ROWS],
        depth: usize,
        left: *const f64,
        right: *const f64,
    ) {
        // SAFETY: passed on to the caller.
        unsafe {
            for_each_product::<Self, ROWS, VECTORS, WIDTH>(
                sums,
                (depth, left, right),
                Self::add_rounded_product,
            )
        }
    }
    /// The entry at `left` times `right` plus `self`, rounded once where there is such an instruction,
    /// else twice.
    unsafe fn add_product(self, left: *const f64, right: Self) -> Self;
    /// Asks for the cache line there, if the processor can be asked.
    unsafe fn prefetch(_source: *const f64) {}
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
/// As for [`Vector`]. `left` holds depth · ROWS entries, `right` depth · WIDTH · LANES, of which the
/// first VECTORS vectors of each k are used, and `product` ROWS rows of VECTORS · LANES entries that
/// are `stride` apart.
#[inline(always)]
pub(super) unsafe fn accumulate<
    V: Vector,
    const ROWS: usize,
    const VECTORS: usize,
    const WIDTH: usize,
    const FUSED: bool,
>(
    depth: usize,
    left: *const f64,
    right: *const f64,
    product: *mut f64,
    stride: usize,
    is_first: bool,
) {
    // SAFETY: the caller vouches for the instructions and for the three lengths; `left` and
    // `right` advance by exactly what one k holds, `depth` times.
    unsafe {
        let mut sums = [[V::zero(); VECTORS]; ROWS];
        if !is_first {
            for (row, sums) in sums.iter_mut().enumerate() {
                for (vector, sum) in sums.iter_mut().enumerate() {
                    *sum = V::load(product.add(row * stride + vector * V::LANES));
                }
            }
        }
        // The tile below is next; its rows of C are in lines that nothing else asks for early.
        for row in 0..ROWS {
            let below = product.wrapping_add((ROWS + row) * stride);
            for entry in (0..VECTORS * V::LANES).step_by(LINE_ENTRIES) {
                V::prefetch(below.wrapping_add(entry));
            }
            V::prefetch(below.wrapping_add(VECTORS * V::LANES - 1));
        }
        if FUSED {
            let panels = (depth, left, right);
            for_each_product::<V, ROWS, VECTORS, WIDTH>(&mut sums, panels, V::add_product);
        } else {
            V::add_rounded_products::<ROWS, VECTORS, WIDTH>(&mut sums, depth, left, right);
        }
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
    (depth, mut left, mut right): (usize, *const f64, *const f64),
    add: unsafe fn(V, *const f64, V) -> V,
) {
    // SAFETY: the caller vouches for the instructions and for the lengths; `left` and `right` advance
    // by exactly what one k holds, `depth` times.
    unsafe {
        for _ in 0..depth {
            let mut factors = [V::zero(); VECTORS];
            for (vector, factor) in factors.iter_mut().enumerate() {
                *factor = V::load(right.add(vector * V::LANES));
            }
            for (row, sums) in sums.iter_mut().enumerate() {
                for (sum, factor) in sums.iter_mut().zip(factors) {
                    *sum = add(*sum, left.add(row), factor);
                }
            }
            left = left.add(ROWS);
            right = right.add(WIDTH * V::LANES);
        }
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
                    depth,
                    tile.left.as_ptr(),
                    tile.right.as_ptr(),
                    tile.product.as_mut_ptr(),
                    tile.stride,
                    tile.is_first,
                );
            }
        }
    };
}
pub(super) use implement_engine;
