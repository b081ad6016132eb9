// One block to compute, as a node describes it: is it sound, and what does it
// need? The node's side of this page is crates/wire/src/task.rs.

import { aloneBytes, BYTES_MAX } from './budget.js';
import { FRAME_BYTES_MAX } from './frame.js';

const U32_MAX = 0xffff_ffff;

// Room for the envelope in front of a product.
const PRODUCT_BYTES_MAX = FRAME_BYTES_MAX - (64 << 10);

/** Throws when `task` does not even say which block of which job it is. */
export function requireNamed(task) {
  const isNamed = isObject(task) && /^[0-9a-f]{32}$/.test(task.job) && isCount(task.block, 0);
  if (!isNamed) throw new Error('the task names no block of a job');
}

/** Why this block cannot be computed here, as a sentence; null when it can. */
export function objectionTo(task) {
  const { row_start, rows, inner, cols } = task;
  if (!isCount(row_start, 0)) return 'the block has no place in C';
  if (![rows, inner, cols].every((side) => isCount(side, 1))) return 'a side of the block is not a positive number';
  if (8 * rows * cols > PRODUCT_BYTES_MAX) return 'the product is longer than a frame';
  return objectionToInput(task.a, rows, inner, 'A') || objectionToInput(task.b, inner, cols, 'B') || objectionToSize(task);
}

function objectionToSize(task) {
  const megabytes = Math.ceil(aloneBytes(task) / 1e6);
  return megabytes * 1e6 <= BYTES_MAX ? null : `the block needs ${megabytes} MB, larger than a page may hold`;
}

function objectionToInput(input, rows, cols, name) {
  if (!isObject(input)) return `${name} is not described`;
  if (input.source === 'random') {
    const places = [input.matrix_cols, input.row_start, input.col_start];
    const isSound = /^\d{1,20}$/.test(input.seed) && places.every((place) => isCount(place, 0));
    if (!isSound) return `the seeded ${name} is not described`;
    return input.col_start + cols <= input.matrix_cols ? null : `the seeded ${name} has no such columns`;
  }
  if (input.source !== 'chunks' || !Array.isArray(input.chunks)) return `the source of ${name} is not known here`;
  const isSound = input.chunks.every((chunk) => /^[0-9a-f]{64}$/.test(chunk.hash) && isCount(chunk.rows, 1));
  if (!isSound) return `a chunk of ${name} is not described`;
  const described = input.chunks.reduce((sum, chunk) => sum + chunk.rows, 0);
  return described === rows ? null : `the chunks of ${name} hold ${described} rows, not ${rows}`;
}

/** The chunks of A that a sound task needs, top to bottom, with their length in bytes. */
export function chunksOfA({ a, inner }) {
  return (a.chunks || []).map(({ hash, rows }) => ({ hash, length: 8 * rows * inner }));
}

/** Equal keys, equal columns of B: what a thread packed once serves all blocks with this key. */
export function rightKeyOf(task) {
  return JSON.stringify([task.inner, task.cols, task.b]);
}

function isObject(value) {
  return value !== null && typeof value === 'object';
}

function isCount(value, least) {
  return Number.isInteger(value) && value >= least && value <= U32_MAX;
}
