// Times the browser's compute module beside nested JavaScript loops, one thread, in one run: each
// round times every contender once, in turn. Runs in node and in a page.
import {
  WorkerModule, expectDone, firstDifference, multiplyByRows, multiplyTextbook, roundingNumbers,
} from "./worker_module.mjs";

/** Calls `report` with lines of text. `modules` are the bytes of both builds. */
export async function timeWasm(modules, sides, report) {
  const simd = await WorkerModule.load(modules.simd);
  const plain = await WorkerModule.load(modules.plain);
  for (const side of sides) {
    const shape = { rows: side, inner: side, cols: side };
    const [left, right] = [roundingNumbers(1, side * side), roundingNumbers(2, side * side)];
    const contenders = {
      "wasm SIMD": wasmContender(simd, left, right, side),
      "wasm without SIMD": wasmContender(plain, left, right, side),
      "JavaScript i-j-k (textbook)": () => multiplyTextbook(left, right, shape),
      "JavaScript i-k-j": () => multiplyByRows(left, right, shape),
    };
    const rounds = side > 1500 ? 1 : side > 600 ? 5 : 9;
    report(`n = ${side}, medians of ${rounds} rounds`);
    const times = await timeRounds(contenders, rounds);
    const base = times["JavaScript i-j-k (textbook)"];
    for (const [name, values] of Object.entries(times)) {
      const seconds = median(values);
      const rate = (2 * side ** 3) / seconds / 1e9;
      const ratio = median(values.map((own, round) => base[round] / own)).toFixed(2).padStart(6);
      report(`  ${name.padEnd(28)} ${(seconds * 1e3).toFixed(1).padStart(9)} ms ` +
        `${rate.toFixed(2).padStart(7)} GFLOP/s  ${ratio} x textbook loop`);
    }
  }
}

async function timeRounds(contenders, rounds) {
  const times = Object.fromEntries(Object.keys(contenders).map((name) => [name, []]));
  let first = null;
  for (let round = -1; round < rounds; round++) {
    for (const [name, run] of Object.entries(contenders)) {
      const start = performance.now();
      const product = run();
      if (round >= 0) times[name].push((performance.now() - start) / 1e3);
      else first = assertSameBits(first, product, name);
      // A page stays alive between the measurements.
      await new Promise((resolve) => setTimeout(resolve));
    }
  }
  return times;
}

function assertSameBits(first, product, name) {
  const at = first === null ? -1 : firstDifference(first, product);
  if (at >= 0) throw new Error(`${name}: entry ${at} has other bits`);
  return product.slice();
}

/** Packs B and multiplies, with the matrices in the module's memory already. */
function wasmContender(module, left, right, side) {
  const { allocate, multiply, right_drop } = module.exports;
  const [leftAt, rightAt] = [module.store(left), module.store(right)];
  const productAt = allocate(side * side * 8);
  return () => {
    const handle = module.packRight(rightAt, side, side);
    expectDone(multiply(leftAt, side, handle, productAt));
    expectDone(right_drop(handle));
    return module.view(productAt, side * side);
  };
}

function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}
