// Holds both builds of worker/ to the nested JavaScript loop, bit by bit, and to its contract:
// bad arguments are answered with 0.   node bench/kernels/check_worker.mjs
import assert from "node:assert/strict";
import { buildWorker } from "./build_worker.mjs";
import { WorkerModule, firstDifference, multiplyTextbook, roundingNumbers } from "./worker_module.mjs";

// g = np.random.Generator(np.random.Philox(key=7)); g.random((3, 5))[1:3, 1:3].ravel().tolist()
const NUMPY = [0.2963575925326176, 0.6205620114540453, 0.5331062674595619, 0.44205212947108785];

const modules = buildWorker();
for (const [name, bytes] of Object.entries(modules)) {
  const module = await WorkerModule.load(bytes);
  assert.equal(module.isSimd(), name === "simd");
  checkExports(module);
  checkProducts(module);
  checkSpecialValues(module);
  checkSeeded(module);
  checkHash(module);
  checkRefusals(module);
  await checkLargeFactor(bytes);
  console.log(`${name}: ${bytes.length} bytes, the bits of the JavaScript loop`);
}

function checkProducts(module) {
  const shapes = [[1, 1, 1], [2, 2, 2], [4, 256, 4], [5, 257, 5], [13, 200, 200], [97, 101, 103]];
  for (const [rows, inner, cols] of shapes) {
    const shape = { rows, inner, cols };
    const left = roundingNumbers(1, rows * inner);
    const right = roundingNumbers(2, inner * cols);
    const product = module.multiply(left, right, shape, 7);
    assert.equal(firstDifference(product, multiplyTextbook(left, right, shape)), -1, `${rows} x ${inner} x ${cols}`);
  }
  // A NaN that arises has the canonical bits, whatever the engine's own are.
  const overflow = Float64Array.of(1e300, -1e300);
  const product = module.multiply(overflow, Float64Array.of(1e300, 1e300), { rows: 1, inner: 2, cols: 1 });
  assert.equal(new BigUint64Array(product.buffer)[0], 0x7ff8000000000000n);
}

/** What the build writes anew is no part of the contract. */
function checkExports(module) {
  const functions = Object.keys(module.exports).filter((name) => name.startsWith("add_products"));
  assert.deepEqual(functions, []);
}

/** In tiles of every height, with any number of k left over. */
function checkSpecialValues(module) {
  const values = [1.5, -0, 5e-324, Infinity, 1e308, -1e308, NaN, 3, -Infinity, 2.2e-308, -7, 0];
  const some = (count, step, ordinary) => Float64Array.from(
    { length: count },
    (_, index) => (index % ordinary === 0 ? values[(index * step) % values.length] : (index % 13) / 7 - 1),
  );
  const depths = [...Array(18).keys()].slice(1).concat(255, 257);
  for (const rows of [1, 2, 3, 4, 5, 9, 10]) {
    for (const inner of depths) {
      for (const cols of [4, 7]) {
        const shape = { rows, inner, cols };
        const [left, right] = [some(rows * inner, 5, 11), some(inner * cols, 7, 17)];
        const expected = multiplyTextbook(left, right, shape);
        const found = new BigUint64Array(module.multiply(left, right, shape).buffer);
        const bits = new BigUint64Array(expected.buffer);
        expected.forEach((sum, index) => {
          const wanted = Number.isNaN(sum) ? 0x7ff8000000000000n : bits[index];
          assert.equal(found[index], wanted, `${rows} x ${inner} x ${cols}, entry ${index}`);
        });
      }
    }
  }
}

function checkSeeded(module) {
  const { allocate, fill_seeded, right_begin, right_push_seeded, right_finish, multiply } = module.exports;
  const address = allocate(4 * 8);
  assert.equal(fill_seeded(address, 7, 0, 5, 1, 2, 1, 2), 1);
  assert.deepEqual([...module.view(address, 4)], NUMPY);
  // The same rectangle as a right factor, times the identity.
  const handle = right_begin(2, 2);
  assert.equal(right_push_seeded(handle, 7, 0, 5, 1, 2, 1), 1);
  assert.equal(right_finish(handle), 1);
  const productAt = allocate(4 * 8);
  assert.equal(multiply(module.store(Float64Array.of(1, 0, 0, 1)), 2, handle, productAt), 1);
  assert.deepEqual([...module.view(productAt, 4)], NUMPY);
}

function checkHash(module) {
  const { allocate, blake3_hash, memory } = module.exports;
  const [input, out] = [allocate(3), allocate(32)];
  new Uint8Array(memory.buffer, input, 3).set([97, 98, 99]);
  assert.equal(blake3_hash(input, 3, out), 1);
  const hash = Buffer.from(memory.buffer, out, 32).toString("hex");
  // b3sum of "abc"
  assert.equal(hash, "6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85");
}

function checkRefusals(module) {
  const e = module.exports;
  const room = e.allocate(64);
  const beyond = e.memory.buffer.byteLength - 8;
  assert.equal(e.allocate(0), 0);
  assert.equal(e.allocate(-1), 0);
  assert.equal(e.right_begin(0, 1), 0);
  assert.equal(e.right_begin(-1, -1), 0);
  assert.equal(e.right_begin(1 << 20, 1 << 20), 0);
  for (const handle of [0, 99, -1]) {
    assert.equal(e.right_push_rows(handle, room, 1), 0);
    assert.equal(e.right_finish(handle), 0);
    assert.equal(e.right_drop(handle), 0);
    assert.equal(e.multiply(room, 1, handle, room + 32), 0);
  }
  const handle = e.right_begin(2, 1);
  assert.equal(e.right_push_rows(handle, 0, 1), 0);
  assert.equal(e.right_push_rows(handle, room + 1, 1), 0);
  assert.equal(e.right_push_rows(handle, beyond, 2), 0);
  assert.equal(e.right_push_rows(handle, room, 3), 0);
  assert.equal(e.right_push_seeded(handle, 1, 0, 5, 0, 1, 5), 0);
  assert.equal(e.right_push_seeded(handle, 1, 0, 5, 0xffffffff, 2, 0), 0);
  assert.equal(e.right_finish(handle), 0);
  assert.equal(e.multiply(room, 1, handle, room + 32), 0);
  assert.equal(e.right_push_rows(handle, room, 2), 1);
  assert.equal(e.right_finish(handle), 1);
  assert.equal(e.multiply(room, 1, handle, room + 8), 0, "overlap");
  assert.equal(e.multiply(room, 0x7fffffff, handle, room + 32), 0);
  assert.equal(e.multiply(room, 1, handle, room + 32), 1);
  assert.equal(e.right_push_rows(handle, room, 1), 0);
  assert.equal(e.right_drop(handle), 1);
  assert.equal(e.right_drop(handle), 0);
  assert.equal(e.fill_seeded(beyond, 0, 0, 4, 0, 1, 0, 4), 0);
  assert.equal(e.fill_seeded(room, 0, 0, 4, 0, 1, 2, 3), 0);
  assert.equal(e.blake3_hash(beyond, 9, room), 0);
  assert.equal(e.blake3_hash(room, 8, 0), 0);
}

// A column block of B as large as the cut ever makes it: 32 MiB.
async function checkLargeFactor(bytes) {
  const module = await WorkerModule.load(bytes);
  const [inner, cols] = [20000, 208];
  const { right_begin, right_push_seeded, right_finish, multiply } = module.exports;
  const handle = right_begin(inner, cols);
  assert.notEqual(handle, 0);
  assert.equal(right_push_seeded(handle, 7, 0, cols, 0, inner, 0), 1);
  assert.equal(right_finish(handle), 1);
  const left = module.store(new Float64Array(inner).fill(1));
  const product = module.exports.allocate(cols * 8);
  assert.equal(multiply(left, 1, handle, product), 1);
  assert.ok(module.view(product, cols).every((sum) => Math.abs(sum - inner / 2) < 200));
}
