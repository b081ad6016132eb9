// node bench/kernels/wasm_times.mjs [n ...]              in node (default 512 1000)
// node bench/kernels/wasm_times.mjs --chromium [n ...]   in headless Chromium, in a page
import { buildWorker } from "./build_worker.mjs";
import { NumpyPeer } from "./numpy_peer.mjs";
import { timeInPage } from "./page_server.mjs";
import { numpyPeer, timeWasm } from "./time_wasm.mjs";

const words = process.argv.slice(2);
const isPage = words[0] === "--chromium";
const sides = words.slice(isPage ? 1 : 0).map(Number);
if (sides.length === 0) sides.push(512, 1000);
const modules = buildWorker();
const numpy = await NumpyPeer.start();
console.log(numpy
  ? `NumPy ${numpy.version}, OPENBLAS_NUM_THREADS=1`
  : "NumPy is left out: PYTHON=a python that has it, or `cargo xtask bench kernels`, which makes one");
if (isPage) {
  const failure = await timeInPage(modules, sides, numpy);
  if (failure) {
    console.error(failure);
    process.exitCode = 1;
  }
} else {
  console.log(`node ${process.version}`);
  const peers = numpy ? [numpyPeer((side, repeats) => numpy.time(side, repeats))] : [];
  for (const side of sides) await timeWasm(modules, side, peers, console.log);
}
numpy?.end();
