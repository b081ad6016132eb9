//! The cut: its bounds, its numbering, and that nothing is cut twice or forgotten.

use kernel::cut::{Bounds, Cut, CutError, LEFT_BYTES_MAX, ProductShape};

/// Where pages take part.
fn plan(rows: u32, inner: u32, cols: u32, devices: u32) -> Cut {
    Cut::plan(ProductShape { rows, inner, cols }, devices, &Bounds::PAGES)
}

/// Where fast nodes with one thread each do.
fn plan_for_nodes(rows: u32, inner: u32, cols: u32, devices: u32) -> Cut {
    let shape = ProductShape { rows, inner, cols };
    Cut::plan(shape, devices, &Bounds::for_nodes(shape, devices, 40_000.0))
}

fn parts(cut: Cut) -> (u32, u32, u32) {
    (
        cut.rows_per_block(),
        cut.cols_per_block(),
        cut.block_count(),
    )
}

#[test]
fn a_presets_product_is_cut_by_rows() {
    let cut = plan(200, 200, 200, 1);
    assert_eq!((cut.rows_per_block(), cut.cols_per_block()), (13, 200));
    assert_eq!((cut.row_blocks(), cut.block_count()), (16, 16));
    assert_eq!(cut.block(15).unwrap().rows, 195..200);
}

#[test]
fn two_rows_make_two_blocks() {
    assert_eq!(plan(2, 2, 2, 4).block_count(), 2);
    assert_eq!(plan(1, 1, 1, 8).block_count(), 1);
}

#[test]
fn every_device_can_have_a_block() {
    assert_eq!(plan(200, 200, 200, 40).block_count(), 40);
}

#[test]
fn a_tiny_product_has_no_more_blocks_than_devices() {
    assert_eq!(plan(50, 50, 50, 4).block_count(), 4);
    assert_eq!(plan(100, 100, 100, 1).block_count(), 1);
    assert_eq!(plan(100, 200, 100, 1).block_count(), 1);
    assert_eq!(plan(100, 201, 100, 1).block_count(), 17, "of 6 rows");
}

#[test]
fn a_large_b_is_split_rather_than_read_for_a_few_rows() {
    let cut = plan(2000, 2000, 2000, 4);
    assert_eq!((cut.rows_per_block(), cut.cols_per_block()), (64, 408));
    assert_eq!(cut.block_count(), 160);
}

#[test]
fn large_blocks_are_whole_tiles_high() {
    for side in [3000, 4000, 7001, 20_000] {
        let rows = plan(side, side, side, 2).rows_per_block();
        assert!(rows < 64 || rows.is_multiple_of(8), "{side}: {rows}");
    }
    assert_eq!(plan(4000, 4000, 4000, 2).rows_per_block(), 64);
}

#[test]
fn a_flat_heavy_product_is_split_by_columns() {
    let cut = plan(10, 20_000, 20_000, 4);
    assert!(cut.block_count() >= 80, "{cut:?}");
    assert_eq!(cut.cols_per_block() % 24, 0);
}

#[test]
fn the_largest_default_product_keeps_every_bound() {
    let cut = plan(20_000, 20_000, 20_000, 100);
    assert_eq!(cut.block_count(), 40_425);
    assert_eq!((cut.rows_per_block(), cut.cols_per_block()), (52, 192));
    assert!(u64::from(cut.rows_per_block()) * 20_000 * 8 <= LEFT_BYTES_MAX);
}

#[test]
fn where_no_page_takes_part_column_blocks_are_wider() {
    let shape = ProductShape {
        rows: 20_000,
        inner: 20_000,
        cols: 20_000,
    };
    let cut = Cut::plan(shape, 100, &Bounds::for_nodes(shape, 100, 9_999.0));
    assert_eq!(parts(cut), (52, 408, 19_250));
    assert!(u64::from(cut.cols_per_block()) * 20_000 * 8 <= Bounds::NODES.right_bytes_max);
}

#[test]
fn fast_nodes_have_fewer_and_larger_blocks() {
    let cubes = |side, devices| parts(plan_for_nodes(side, side, side, devices));
    assert_eq!(cubes(1000, 2), (63, 1000, 16));
    assert_eq!(cubes(2000, 2), (128, 1008, 32));
    assert_eq!(cubes(4000, 2), (128, 1008, 128));
    assert_eq!(cubes(20_000, 2), (52, 408, 19_250));
    // But no device goes without, and no thread where blocks are large enough.
    assert_eq!(cubes(1000, 100), (10, 1000, 100));
    assert!(cubes(2000, 50).2 >= 150);
    let shape = plan(2000, 2000, 2000, 1).shape();
    let many_threads = Bounds::for_nodes(shape, 64, 40_000.0);
    assert!(Cut::plan(shape, 1, &many_threads).block_count() >= 150);
}

#[test]
fn a_large_b_is_not_read_for_a_few_rows_whoever_computes() {
    let nodes = |rows, inner, cols, devices| {
        Cut::plan(ProductShape { rows, inner, cols }, devices, &Bounds::NODES)
    };
    for (rows, inner, cols, devices) in [
        (60, 1254, 5763, 4),
        (100, 4000, 4000, 4),
        (200, 2000, 4000, 4),
        (500, 1500, 5000, 4),
        (2000, 2000, 2000, 50),
        (20_000, 1000, 20_000, 4),
    ] {
        for cut in [
            plan(rows, inner, cols, devices),
            nodes(rows, inner, cols, devices),
            plan_for_nodes(rows, inner, cols, devices),
        ] {
            assert!(cut.rows_per_block() >= rows.min(64), "{cut:?}");
        }
    }
}

#[test]
fn columns_are_as_wide_as_the_rows_that_a_block_can_have_allow() {
    let shape = ProductShape {
        rows: 122,
        inner: 8933,
        cols: 2034,
    };
    for threads in [1, 4, 32] {
        let cut = Cut::plan(shape, 4, &Bounds::for_nodes(shape, threads, 40_000.0));
        assert!(
            cut.block_count() <= 44 && cut.cols_per_block() >= 96,
            "{cut:?}"
        );
    }
}

#[test]
fn where_threads_are_many_blocks_are_as_for_slow_nodes() {
    for (rows, inner, cols, threads) in [(129, 4000, 2000, 16), (192, 2552, 6426, 64)] {
        let shape = ProductShape { rows, inner, cols };
        assert_eq!(Bounds::for_nodes(shape, threads, 40_000.0), Bounds::NODES);
    }
}

#[test]
fn blocks_are_numbered_down_the_rows_first() {
    let shape = ProductShape {
        rows: 5,
        inner: 3,
        cols: 7,
    };
    let cut = Cut::from_parts(shape, 2, 4).unwrap();
    assert_eq!((cut.row_blocks(), cut.col_blocks()), (3, 2));
    assert_eq!(cut.block(1).unwrap().rows, 2..4);
    assert_eq!(cut.block(1).unwrap().cols, 0..4);
    assert_eq!(cut.block(5).unwrap().rows, 4..5);
    assert_eq!(cut.block(5).unwrap().cols, 4..7);
    assert_eq!(cut.block(5).unwrap().operations(3), 2 * 3 * 3);
    assert_eq!(cut.block(6), None);
}

#[test]
fn hostile_parts_are_refused() {
    let shape = ProductShape {
        rows: 5,
        inner: 3,
        cols: 7,
    };
    let huge = ProductShape {
        rows: u32::MAX,
        inner: u32::MAX,
        cols: u32::MAX,
    };
    let empty = ProductShape {
        rows: 5,
        inner: 0,
        cols: 7,
    };
    assert_eq!(Cut::from_parts(shape, 0, 1), Err(CutError::ZeroSide));
    assert_eq!(Cut::from_parts(empty, 1, 1), Err(CutError::ZeroSide));
    assert_eq!(
        Cut::from_parts(shape, 6, 1),
        Err(CutError::BlockBeyondProduct)
    );
    assert_eq!(
        Cut::from_parts(shape, 1, u32::MAX),
        Err(CutError::BlockBeyondProduct)
    );
    assert_eq!(Cut::from_parts(huge, 1, 1), Err(CutError::TooManyBlocks));
    assert_eq!(
        Cut::from_parts(huge, u32::MAX, u32::MAX),
        Err(CutError::BlockTooLarge)
    );
    assert_eq!(huge.operations(), u64::MAX);
}

#[test]
fn a_row_block_that_is_not_there_has_no_chunks() {
    let cut = plan(200, 200, 200, 1);
    assert!(cut.left_chunks(16).is_empty());
    assert!(cut.right_chunks(1).is_empty());
    assert!(cut.right_chunks(u32::MAX).is_empty());
}

#[cfg(not(target_arch = "wasm32"))]
mod properties {
    use super::{Bounds, Cut, LEFT_BYTES_MAX, ProductShape, plan};
    use kernel::cut::{BLOCK_ENTRIES_MAX, BLOCKS_MAX, CHUNK_BYTES_MAX, Rectangle};
    use proptest::prelude::{Strategy, prop_oneof, proptest};

    /// Sides of every magnitude.
    fn side(largest: u32) -> impl Strategy<Value = u32> {
        prop_oneof![1..30_u32, 1..500_u32, 1..=largest]
    }

    /// Counts for each cell of a grid how many rectangles cover it.
    fn cover(rows: u32, cols: u32, parts: impl Iterator<Item = Rectangle>) -> Vec<u8> {
        let mut counts = vec![0; rows as usize * cols as usize];
        for part in parts {
            for row in part.rows {
                for col in part.cols.clone() {
                    counts[row as usize * cols as usize + col as usize] += 1;
                }
            }
        }
        counts
    }

    proptest! {
        #[test]
        fn a_plan_keeps_its_bounds_and_is_what_its_parts_say(
            rows in side(30_000), inner in side(30_000), cols in side(30_000), devices in 0..5000_u32,
        ) {
            for bounds in [Bounds::PAGES, Bounds::NODES, Bounds::FAST_NODES] {
                let cut = Cut::plan(ProductShape { rows, inner, cols }, devices, &bounds);
                let (height, width) = (cut.rows_per_block(), cut.cols_per_block());
                assert_eq!(Cut::from_parts(cut.shape(), height, width), Ok(cut));
                let left_bytes = u64::from(height) * u64::from(inner) * 8;
                assert!(height == 1 || left_bytes <= LEFT_BYTES_MAX);
                assert!(u64::from(inner) * u64::from(width) * 8 <= bounds.right_bytes_max);
                assert!(u64::from(height) * u64::from(width) <= BLOCK_ENTRIES_MAX);
                assert!(width == cols || width % 24 == 0);
                let is_cut = !cut.shape().is_tiny();
                assert!(!is_cut || cut.block_count() >= rows.min(16).min(BLOCKS_MAX));
                assert!(cut.block_count() >= devices.min(rows).min(1024));
            }
        }

        /// As `public/compute/budget.js` adds it up: an empty thread, B packed and one chunk of it, A
        /// and C there, chunks of B on their way, A and twice C outside.
        #[test]
        fn a_page_has_room_for_any_block(
            rows in side(30_000), inner in side(30_000), cols in side(30_000), devices in 0..5000_u32,
        ) {
            let cut = plan(rows, inner, cols, devices);
            let inner = u64::from(inner);
            let (height, width) = (u64::from(cut.rows_per_block()), u64::from(cut.cols_per_block()));
            let (left, product) = (8 * height * inner, 8 * height * width);
            let right = 8 * inner * width.next_multiple_of(4);
            let spare_and_chunks = 5 * CHUNK_BYTES_MAX;
            let stripe = 8 * (120 * 256 + height);
            let bytes = 1_400_064 + right + left + product + stripe + spare_and_chunks + left + 2 * product;
            assert!(bytes <= 64_000_000, "{cut:?}: {bytes} bytes");
        }

        #[test]
        fn every_entry_is_in_exactly_one_block_and_its_inputs_in_one_chunk_each(
            rows in 1..80_u32, inner in 1..80_u32, cols in 1..80_u32,
            height in 1..80_u32, width in 1..80_u32,
        ) {
            let shape = ProductShape { rows, inner, cols };
            let cut = Cut::from_parts(shape, height.min(rows), width.min(cols)).unwrap();
            let blocks = (0..cut.block_count()).map(|index| {
                let block = cut.block(index).unwrap();
                assert_eq!(block.index, index);
                Rectangle { rows: block.rows, cols: block.cols }
            });
            assert!(cover(rows, cols, blocks).iter().all(|count| *count == 1));
            let left = cover(rows, inner, cut.all_left_chunks().into_iter());
            assert!(left.iter().all(|count| *count == 1));
            let right = cover(inner, cols, cut.all_right_chunks().into_iter());
            assert!(right.iter().all(|count| *count == 1));
        }

        #[test]
        fn chunks_are_whole_rows_of_at_most_a_mebibyte(
            rows in side(3000), inner in side(200_000), cols in side(3000),
        ) {
            let cut = plan(rows, inner, cols, 3);
            let last = cut.row_blocks() - 1;
            let block = cut.block(last).unwrap();
            let chunks = cut.left_chunks(last);
            assert_eq!(chunks[0].rows.start, block.rows.start);
            assert_eq!(chunks.last().unwrap().rows.end, block.rows.end);
            let right = cut.right_chunks(cut.col_blocks() - 1);
            assert_eq!(right.last().unwrap().rows.end, inner);
            for pair in right.windows(2).chain(chunks.windows(2)) {
                assert_eq!(pair[0].rows.end, pair[1].rows.start);
            }
            for chunk in chunks.iter().chain(&right) {
                assert!(chunk.rows.len() == 1 || chunk.entries() * 8 <= CHUNK_BYTES_MAX);
            }
        }
    }
}
