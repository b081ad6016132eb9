// Multiplies in plain JavaScript, where a browser has no WebAssembly (such as
// an iPhone in lockdown mode): slow, and the same bits as everywhere else.
'use strict';

self.createTextbookKernel = function createTextbookKernel() {
  /** The rows that an input describes, generated or joined from its checked chunks. */
  function matrixOf(input, rows, cols, chunks) {
    if (input.source === 'random') return self.fillSeeded(input, rows, cols);
    const matrix = new Float64Array(rows * cols);
    const bytes = new Uint8Array(matrix.buffer);
    let end = 0;
    chunks.forEach((chunk, index) => {
      const { hash } = input.chunks[index];
      if (self.blake3(chunk) !== hash) {
        const error = new Error(`chunk ${hash.slice(0, 8)} arrived damaged`);
        error.damaged = hash;
        throw error;
      }
      bytes.set(chunk, end);
      end += chunk.length;
    });
    return matrix;
  }

  return {
    packRight(task, chunks) {
      const matrix = matrixOf(task.b, task.inner, task.cols, chunks);
      return { matrix, bytes: matrix.byteLength, drop: () => {} };
    },

    multiply(task, right, leftChunks) {
      const left = matrixOf(task.a, task.rows, task.inner, leftChunks);
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
