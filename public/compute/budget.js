// The memory of this page: who holds how much of it, and what a block will need.
//
// Everything is counted before it exists: chunks from their request on, a
// thread's memory when a block is given to it, a product when its block begins.
// So no block begins that could not end, and nobody waits for memory that
// another holds while it waits itself.

// What a page may hold over all its threads, what is in flight and kept
// included: a phone's browser ends a tab that holds much more.
export const BYTES_MAX = 64e6;

// A new instance of the compute module (1.1 MB, most of it its stack), and what
// its memory grows by rounding up.
export const THREAD_BYTES = 1.4e6;

// Chunks of B on their way into one thread: one arrives while one is packed, and
// one is asked for. More would be room that other threads have no use of.
export const RIGHT_CHUNKS_MAX = 3;

// The module asks for this much beside a packed B, to be sure of it (worker/,
// right_factors.rs).
const SPARE_BYTES = 1 << 20;

// Rows and columns of A that the module packs at once (crates/kernel, blocked.rs).
const STRIPE_ENTRIES = 120 * 256;

// B is padded to whole tiles and begins at a cache line (packing.rs there);
// unpacked, as textbook.js holds it, it takes no more.
const TILE_COLS = 4;
const LINE_BYTES = 64;

// A memory never shrinks, and what is allocated later may not fit where
// something was before. So whatever a thread ever has room for is added up.

/** Bytes by which a thread grows at most for one more B (inner × cols): packed, and beside it while it is packed. */
export function rightBytes(task) {
  const { inner, cols } = task;
  const packed = 8 * inner * TILE_COLS * Math.ceil(cols / TILE_COLS) + LINE_BYTES;
  return packed + SPARE_BYTES + longestChunkOfB(task);
}

/** Bytes beside B while a thread multiplies: A, C, a packed stripe of A, and where each row of A lies. */
export function workBytes({ rows, inner, cols }) {
  return 8 * (rows * inner + rows * cols + STRIPE_ENTRIES + rows);
}

/** Bytes of B's chunks while they are on their way into a thread. */
export function sendingBytes(task) {
  return RIGHT_CHUNKS_MAX * longestChunkOfB(task);
}

/** Bytes of a block outside its thread: A's chunks, and the product. */
export function blockBytes(task) {
  return (task.a.chunks ? 8 * task.rows * task.inner : 0) + productBytes(task);
}

/** Bytes of a product until it is counted: it is kept, and a copy of it leaves. */
export function productBytes({ rows, cols }) {
  return 2 * 8 * rows * cols;
}

/** The most that a page holds which computes this block alone. */
export function aloneBytes(task) {
  return THREAD_BYTES + rightBytes(task) + workBytes(task) + sendingBytes(task) + blockBytes(task);
}

function longestChunkOfB({ b, cols }) {
  return (b.chunks || []).reduce((longest, chunk) => Math.max(longest, 8 * chunk.rows * cols), 0);
}

/** Counts what each holder (any object or name) has; `state` shows the sum and the most that it ever was. */
export function createBudget(state) {
  const shares = new Map();

  return {
    /** From now on `holder` has, or was promised, so many bytes. */
    hold(holder, bytes) {
      state.held_bytes += bytes - (shares.get(holder) || 0);
      state.held_bytes_max = Math.max(state.held_bytes_max, state.held_bytes);
      if (bytes > 0) shares.set(holder, bytes);
      else shares.delete(holder);
    },

    /** Bytes that nobody holds. */
    left: () => BYTES_MAX - state.held_bytes,
  };
}
