// A Web Worker that multiplies some rows with a B that it packed before, as the workers of matmesh's pages do.
import { WorkerModule, expectDone } from "./worker_module.mjs";

let run;

onmessage = async ({ data }) => {
  if (data.left) {
    run = await prepare(data);
    postMessage("ready");
  } else {
    let product;
    for (let repeat = 0; repeat < data.repeats; repeat++) product = run();
    postMessage(data.wantsProduct ? product.slice() : "done");
  }
};

async function prepare({ bytes, left, right, side }) {
  const module = await WorkerModule.load(bytes);
  const rows = left.length / side;
  const [leftAt, rightAt] = [module.store(left), module.store(right)];
  const handle = module.packRight(rightAt, side, side);
  const productAt = module.exports.allocate(rows * side * 8);
  return () => {
    expectDone(module.exports.multiply(leftAt, rows, handle, productAt));
    return module.view(productAt, rows * side);
  };
}
