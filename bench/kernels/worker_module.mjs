// The browser's compute module (worker/) and the plain JavaScript loops it is compared with.
// Runs in node and in pages.

/** One instance of the module. Matrices are row-major Float64Arrays. */
export class WorkerModule {
  static async load(bytes) {
    const { instance } = await WebAssembly.instantiate(bytes, {});
    return new WorkerModule(instance.exports);
  }

  constructor(exports) {
    this.exports = exports;
  }

  isSimd() {
    return this.exports.is_simd() === 1;
  }

  /** Copies entries into the module; returns their address. */
  store(entries) {
    const address = this.exports.allocate(entries.length * 8);
    if (address === 0) throw new Error("no room in the module's memory");
    this.view(address, entries.length).set(entries);
    return address;
  }

  /** A view that holds until the memory grows. */
  view(address, count) {
    return new Float64Array(this.exports.memory.buffer, address, count);
  }

  /** A finished right factor from `inner` rows at `address`, in pieces of `piece` rows. */
  packRight(address, inner, cols, piece = inner) {
    const handle = this.exports.right_begin(inner, cols);
    for (let row = 0; row < inner; row += piece) {
      const rows = Math.min(piece, inner - row);
      expectDone(this.exports.right_push_rows(handle, address + row * cols * 8, rows));
    }
    expectDone(this.exports.right_finish(handle));
    return handle;
  }

  /** The product of two matrices that lie in JavaScript. */
  multiply(left, right, { rows, inner, cols }, piece) {
    const { allocate, release, multiply, right_drop } = this.exports;
    const [leftAt, rightAt] = [this.store(left), this.store(right)];
    const productAt = allocate(rows * cols * 8);
    const handle = this.packRight(rightAt, inner, cols, piece);
    expectDone(multiply(leftAt, rows, handle, productAt));
    const product = this.view(productAt, rows * cols).slice();
    expectDone(right_drop(handle));
    release(leftAt, left.length * 8);
    release(rightAt, right.length * 8);
    release(productAt, rows * cols * 8);
    return product;
  }
}

export function expectDone(answer) {
  if (answer !== 1) throw new Error("the module refused");
}

/** The textbook: i, j, k. */
export function multiplyTextbook(left, right, { rows, inner, cols }) {
  const product = new Float64Array(rows * cols);
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < cols; j++) {
      let sum = 0;
      for (let k = 0; k < inner; k++) sum += left[i * inner + k] * right[k * cols + j];
      product[i * cols + j] = sum;
    }
  }
  return product;
}

/** The same sums in the same order, walking B along its rows: i, k, j. */
export function multiplyByRows(left, right, { rows, inner, cols }) {
  const product = new Float64Array(rows * cols);
  for (let i = 0; i < rows; i++) {
    for (let k = 0; k < inner; k++) {
      const factor = left[i * inner + k];
      for (let j = 0; j < cols; j++) product[i * cols + j] += factor * right[k * cols + j];
    }
  }
  return product;
}

/** Numbers of both signs whose sums round (a linear congruential generator). */
export function roundingNumbers(seed, count) {
  let state = seed >>> 0;
  return Float64Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32 - 0.5;
  });
}

/** Index of the first entry with other bits, or -1. */
export function firstDifference(one, other) {
  const [a, b] = [one, other].map((x) => new BigUint64Array(x.buffer, x.byteOffset, x.length));
  return a.findIndex((bits, index) => bits !== b[index]);
}
