// Multiplies in plain JavaScript, where a browser has no WebAssembly (such as
// an iPhone in lockdown mode): slow, and the same bits as everywhere else.
'use strict';

self.createTextbookKernel = function createTextbookKernel() {
  let rightBytes = 0; // of the B's that are kept

  /** Copies a chunk to `place` among `bytes`, if it is what its hash says. */
  function load(bytes, place, { hash }, chunk) {
    if (self.blake3(chunk) !== hash) {
      const error = new Error(`chunk ${hash.slice(0, 8)} arrived damaged`);
      error.damaged = hash;
      throw error;
    }
    bytes.set(chunk, place);
  }

  /** The rows of A, generated or joined from its checked chunks. */
  function leftOf({ a, rows, inner }, chunks) {
    if (a.source === 'random') return self.fillSeeded(a, rows, inner);
    const matrix = new Float64Array(rows * inner);
    const bytes = new Uint8Array(matrix.buffer);
    let end = 0;
    chunks.forEach((chunk, index) => {
      load(bytes, end, a.chunks[index], chunk);
      end += chunk.length;
    });
    return matrix;
  }

  return {
    /** Bytes of the B's that are kept: all that outlives a block. */
    memoryBytes: () => rightBytes,

    packRight({ b, inner, cols }) {
      const matrix = b.source === 'random' ? self.fillSeeded(b, inner, cols) : new Float64Array(inner * cols);
      const bytes = new Uint8Array(matrix.buffer);
      let pushed = 0;
      let end = 0;
      rightBytes += bytes.length;
      return {
        matrix,
        drop: () => (rightBytes -= bytes.length),
        push(chunk) {
          load(bytes, end, b.chunks[pushed], chunk);
          pushed += 1;
          end += chunk.length;
        },
      };
    },

    multiply(task, right, leftChunks) {
      const left = leftOf(task, leftChunks);
      const start = performance.now();
      const product = multiplyTextbook(left, right.matrix, task.rows, task.inner, task.cols);
      return { product: product.buffer, compute_ms: performance.now() - start };
    },

    trial(size) {
      const matrix = Float64Array.from({ length: size * size }, (_, index) => 1 / (index + 1));
      const start = performance.now();
      multiplyTextbook(matrix, matrix, size, size, size);
      return performance.now() - start;
    },
  };
};

/**
 * C = A · B (rows × inner times inner × cols, row-major). The loops go i, k, j:
 * each entry is still summed in the order of k from +0.0 on, every product and
 * every sum rounded, but memory is walked row by row.
 */
self.multiplyTextbook = function multiplyTextbook(a, b, rows, inner, cols) {
  const c = new Float64Array(rows * cols);
  for (let i = 0; i < rows; i += 1) {
    for (let k = 0; k < inner; k += 1) {
      const factor = a[i * inner + k];
      const rowOfB = k * cols;
      const rowOfC = i * cols;
      for (let j = 0; j < cols; j += 1) c[rowOfC + j] += factor * b[rowOfB + j];
    }
  }
  makeNansCanonical(c);
  return c;
};

/** Overflow can end in a NaN, whose bits differ between devices: all become 0x7ff8000000000000. */
function makeNansCanonical(values) {
  const halves = new Uint32Array(values.buffer);
  for (let index = 0; index < values.length; index += 1) {
    if (!Number.isNaN(values[index])) continue;
    halves[2 * index] = 0;
    halves[2 * index + 1] = 0x7ff8_0000;
  }
}
