// Two Web Workers, each with half of the rows, beside one with all of them, in turn.
import { median, turnsFor } from "./time_wasm.mjs";
import { firstDifference, roundingNumbers } from "./worker_module.mjs";

export async function timeTwoWorkers(bytes, side, report) {
  const [left, right] = [roundingNumbers(1, side * side), roundingNumbers(2, side * side)];
  const middle = Math.floor(side / 2) * side;
  const start = (rows) => RowsWorker.start({ bytes, left: rows, right, side });
  const one = [await start(left)];
  const two = [await start(left.subarray(0, middle)), await start(left.subarray(middle))];
  assertSameProduct(await multiply(one, 1, true), await multiply(two, 1, true));
  const { rounds, repeats } = turnsFor(side);
  const times = { one: [], two: [] };
  for (let round = 0; round < rounds; round++) {
    times.one.push(await timeTurn(one, repeats));
    times.two.push(await timeTurn(two, repeats));
  }
  for (const worker of [...one, ...two]) worker.end();
  const [all, halves] = [median(times.one), median(times.two)].map((seconds) => (seconds * 1e3).toFixed(1));
  const ratio = median(times.one.map((seconds, round) => seconds / times.two[round])).toFixed(2);
  await report(`  two workers, half of the rows each: ${halves} ms, one with all: ${all} ms, ${ratio} times as fast`);
}

async function timeTurn(workers, repeats) {
  const start = performance.now();
  await multiply(workers, repeats, false);
  return (performance.now() - start) / 1e3 / repeats;
}

function multiply(workers, repeats, wantsProduct) {
  return Promise.all(workers.map((worker) => worker.ask({ repeats, wantsProduct })));
}

function assertSameProduct([whole], [top, bottom]) {
  const halves = new Float64Array(whole.length);
  halves.set(top);
  halves.set(bottom, top.length);
  if (firstDifference(whole, halves) >= 0) throw new Error("two workers: other bits");
}

class RowsWorker {
  static async start(matrices) {
    const worker = new RowsWorker();
    await worker.ask(matrices);
    return worker;
  }

  constructor() {
    this.worker = new Worker("rows_worker.mjs", { type: "module" });
  }

  ask(message) {
    return new Promise((resolve, reject) => {
      this.worker.onmessage = ({ data }) => resolve(data);
      this.worker.onerror = ({ message }) => reject(new Error(`a worker failed: ${message}`));
      this.worker.postMessage(message);
    });
  }

  end() {
    this.worker.terminate();
  }
}
