// The bridge's plain scripts, run outside a browser: they put their functions
// on `self`, whatever that is.

import { readFileSync } from 'node:fs';
import path from 'node:path';
import vm from 'node:vm';

type SeededInput = { seed: string; matrix_cols: number; row_start: number; col_start: number };
type Scripts = {
  blake3(bytes: Uint8Array): string;
  fillSeeded(input: SeededInput, rows: number, cols: number): Float64Array;
};

const FOLDER = path.resolve(import.meta.dirname, '../../public/compute');
const scripts = {} as Scripts;
const context = vm.createContext({ self: scripts });
for (const name of ['blake3.js', 'philox.js']) {
  vm.runInContext(readFileSync(path.join(FOLDER, name), 'utf8'), context, { filename: name });
}

export const blake3 = (bytes: Uint8Array) => scripts.blake3(bytes);

/** NumPy's matrix under a seed, or a rectangle of it. */
export function seededMatrix(input: SeededInput, rows: number, cols: number): Float64Array {
  return Float64Array.from(scripts.fillSeeded(input, rows, cols));
}
