// Times the browser's compute module beside nested JavaScript loops and peers, one thread, in one run: each
// round times every contender once, in turn. Runs in node and in a page.
import {
  WorkerModule, expectDone, firstDifference, multiplyByRows, multiplyTextbook, roundingNumbers,
} from "./worker_module.mjs";

const OURS = "wasm SIMD";
const TEXTBOOK = "JavaScript i-j-k (textbook)";

/**
 * Calls `report` with lines of text. `modules` are the bytes of both builds. A peer gives its contenders for
 * two matrices. A contender's turn multiplies `repeats` times and gives the seconds of one product, and the
 * last product if there is one to look at; `rounds` says in how many rounds it takes part, if not in all.
 */
export async function timeWasm(modules, side, peers, report) {
  const simd = await WorkerModule.load(modules.simd);
  const plain = await WorkerModule.load(modules.plain);
  const shape = { rows: side, inner: side, cols: side };
  const [left, right] = [roundingNumbers(1, side * side), roundingNumbers(2, side * side)];
  const { rounds, repeats } = turnsFor(side);
  // The loops take most of a minute for a large product.
  const loops = side > 1500 ? 1 : rounds;
  const contenders = {
    [OURS]: contender(wasmProduct(simd, left, right, side)),
    "wasm SIMD, B kept packed": contender(wasmProduct(simd, left, right, side, true)),
    "wasm without SIMD": contender(wasmProduct(plain, left, right, side)),
    [TEXTBOOK]: contender(() => multiplyTextbook(left, right, shape), loops),
    "JavaScript i-k-j": contender(() => multiplyByRows(left, right, shape), loops),
  };
  for (const peer of peers) Object.assign(contenders, peer(left, right, side));
  const times = await timeRounds(contenders, rounds, repeats);
  const head = `n = ${side}, ${rounds} rounds of ${repeats}, medians`;
  await report(`${head.padEnd(42)}${columns(["ms", "GFLOP/s", "operands", "x textbook", `${OURS} is`, "in bytes"])}`);
  for (const [name, values] of Object.entries(times)) {
    const { entryBytes } = contenders[name];
    const seconds = median(values);
    const ours = medianRatio(values, times[OURS]);
    await report(`  ${name.padEnd(40)}${columns([
      (seconds * 1e3).toFixed(1),
      ((2 * side ** 3) / seconds / 1e9).toFixed(2),
      `${((2 * side ** 2 * entryBytes) / seconds / 1e6).toFixed(0)} MB/s`,
      medianRatio(times[TEXTBOOK], values).toFixed(2),
      `${ours.toFixed(2)} x`,
      `${((ours * 8) / entryBytes).toFixed(2)} x`,
    ])}`);
  }
}

/** How often a side is measured. Small products are repeated, because a page's clock has steps of 0.1 ms. */
export function turnsFor(side) {
  const rounds = side > 1500 ? 7 : side > 600 ? 9 : 15;
  return { rounds, repeats: Math.max(1, Math.round(2e8 / (2 * side ** 3))) };
}

/** Seconds of one call. */
export function repeatedly(repeats, run) {
  const start = performance.now();
  for (let index = 0; index < repeats; index++) run(index);
  return (performance.now() - start) / 1e3 / repeats;
}

/** NumPy, which multiplies numbers of its own; `ask` gives the seconds of one product. */
export function numpyPeer(ask) {
  return (left, right, side) => ({
    "NumPy's OpenBLAS, native": {
      entryBytes: 8,
      turn: async (repeats) => ({ seconds: await ask(side, repeats) }),
    },
  });
}

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}

async function timeRounds(contenders, rounds, repeats) {
  const times = Object.fromEntries(Object.keys(contenders).map((name) => [name, []]));
  let first = null;
  for (let round = -1; round < rounds; round++) {
    for (const [name, { turn, rounds: own = rounds }] of Object.entries(contenders)) {
      if (round >= own) continue;
      const { seconds, product } = await turn(repeats);
      if (round >= 0) times[name].push(seconds);
      else if (first === null) first = product.slice();
      else if (product) assertSame(first, product, name);
      // A page stays alive between the measurements.
      await new Promise((resolve) => setTimeout(resolve));
    }
  }
  return times;
}

/** The same bits in f64. In f32, as far away as rounding may lead: entries of A and B are at most 1/2. */
function assertSame(first, product, name) {
  const inner = Math.sqrt(first.length);
  const bound = (inner + 2) * 2 ** -24 * (inner / 4);
  const at = product instanceof Float64Array
    ? firstDifference(first, product)
    : first.findIndex((sum, index) => !(Math.abs(sum - product[index]) <= bound));
  if (at >= 0) throw new Error(`${name}: entry ${at} is ${product[at]}, not ${first[at]}`);
}

function contender(run, rounds) {
  return {
    entryBytes: 8,
    rounds,
    turn(repeats) {
      let product;
      const seconds = repeatedly(repeats, () => { product = run(); });
      return { seconds, product };
    },
  };
}

/** Packs B, unless it stays packed, and multiplies, with the matrices in the module's memory already. */
function wasmProduct(module, left, right, side, keepsPacked = false) {
  const { allocate, multiply, right_drop } = module.exports;
  const [leftAt, rightAt] = [module.store(left), module.store(right)];
  const productAt = allocate(side * side * 8);
  const kept = keepsPacked ? module.packRight(rightAt, side, side) : null;
  return () => {
    const handle = kept ?? module.packRight(rightAt, side, side);
    expectDone(multiply(leftAt, side, handle, productAt));
    if (kept === null) expectDone(right_drop(handle));
    return module.view(productAt, side * side);
  };
}

/** The median of the ratios of the rounds that both took part in. */
function medianRatio(ones, others) {
  const rounds = Math.min(ones.length, others.length);
  return median(ones.slice(0, rounds).map((one, round) => one / others[round]));
}

function columns(words) {
  return words.map((word) => word.padStart(14)).join("");
}
