// Multiplies with the compute module: crates/kernel, compiled to WebAssembly by
// the package worker/. Each thread has an instance, and so a memory, of its own.
'use strict';

const HASH_BYTES = 32;

self.createWasmKernel = function createWasmKernel(module) {
  const wasm = new WebAssembly.Instance(module, {}).exports;

  /** Runs `use` with room for `bytes` in the module's memory. */
  function withRoom(bytes, use) {
    const place = wasm.allocate(bytes);
    if (!place) throw new Error(`no memory for ${bytes} bytes`);
    try {
      return use(place);
    } finally {
      wasm.release(place, bytes);
    }
  }

  // A fresh view each time: memory that grew leaves older views empty.
  const bytesAt = (place, length) => new Uint8Array(wasm.memory.buffer, place, length);

  /** Copies a chunk to `place` and makes sure that its bytes are what its hash says. */
  function load(place, chunk, bytes) {
    bytesAt(place, bytes.length).set(bytes);
    const hash = withRoom(HASH_BYTES, (hashPlace) => {
      check(wasm.blake3_hash(place, bytes.length, hashPlace), 'a chunk');
      return Array.from(bytesAt(hashPlace, HASH_BYTES), (byte) => byte.toString(16).padStart(2, '0')).join('');
    });
    if (hash === chunk.hash) return;
    const error = new Error(`chunk ${chunk.hash.slice(0, 8)} arrived damaged`);
    error.damaged = chunk.hash;
    throw error;
  }

  /** The module answers 0 where an argument makes no sense to it or memory is short. */
  function check(answer, what) {
    if (!answer) throw new Error(`the compute module refused ${what}`);
  }

  /** The 64 bits of a seed as two halves, which is how they cross into the module. */
  function halves(seed) {
    const bits = BigInt(seed);
    return [Number(bits & 0xffff_ffffn), Number((bits >> 32n) & 0xffff_ffffn)];
  }

  function fillLeft(place, task, chunks) {
    const { a, rows, inner } = task;
    if (a.source === 'random') {
      const part = [a.matrix_cols, a.row_start, rows, a.col_start, inner];
      check(wasm.fill_seeded(place, ...halves(a.seed), ...part), 'a seeded A');
    }
    let end = place;
    chunks.forEach((bytes, index) => {
      load(end, a.chunks[index], bytes);
      end += bytes.length;
    });
  }

  return {
    /** Bytes of this instance's memory. What they may become is told in budget.js. */
    memoryBytes: () => wasm.memory.buffer.byteLength,

    /** B (inner × cols), packed once for all blocks that need it: from its seed at once, else `push` takes chunk by chunk. */
    packRight({ b, inner, cols }) {
      const handle = wasm.right_begin(inner, cols);
      check(handle, 'B');
      let pushed = 0;
      const finish = () => check(wasm.right_finish(handle), 'a packed B');
      if (b.source === 'random') {
        const place = [b.matrix_cols, b.row_start, inner, b.col_start];
        check(wasm.right_push_seeded(handle, ...halves(b.seed), ...place), 'a seeded B');
        finish();
      }
      return {
        handle,
        drop: () => wasm.right_drop(handle),
        push(bytes) {
          const chunk = b.chunks[pushed];
          withRoom(bytes.length, (place) => {
            load(place, chunk, bytes);
            check(wasm.right_push_rows(handle, place, chunk.rows), 'rows of B');
          });
          pushed += 1;
          if (pushed === b.chunks.length) finish();
        },
      };
    },

    /** The product's bytes (rows × cols) and the milliseconds of the multiplication alone. */
    multiply(task, right, leftChunks) {
      const leftBytes = 8 * task.rows * task.inner;
      const productBytes = 8 * task.rows * task.cols;
      // One room for both: what was free for a block before is then free for one that is no larger.
      return withRoom(leftBytes + productBytes, (left) => {
        fillLeft(left, task, leftChunks);
        const place = left + leftBytes;
        const start = performance.now();
        const worked = wasm.multiply(left, task.rows, right.handle, place);
        const compute_ms = performance.now() - start;
        check(worked, 'the multiplication');
        return { product: wasm.memory.buffer.slice(place, place + productBytes), compute_ms };
      });
    },

    /** Milliseconds of one product of seeded matrices, size × size. */
    trial(size) {
      const matrix = { source: 'random', seed: '1', matrix_cols: size, row_start: 0, col_start: 0 };
      const task = { rows: size, inner: size, cols: size, a: matrix, b: matrix };
      const right = this.packRight(task);
      const { compute_ms } = this.multiply(task, right, []);
      right.drop();
      return compute_ms;
    },
  };
};
