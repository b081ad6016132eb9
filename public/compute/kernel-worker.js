// One thread: a Web Worker that computes block after block.
//
// It knows no node and no job, only blocks with their inputs. It keeps the
// columns of B it packed, because the next block mostly needs the same ones.
// A plain script that runs behind those of both kernels: see files.js.
'use strict';

// Packed B's kept beside the one in use: two jobs at once, each with its own
// B, and one more that is coming or going.
const RIGHTS_MAX = 3;
const RIGHT_BYTES_MAX = 256 << 20;

// The speed is measured until a multiplication takes this long: the browser's
// clock is blurred to about 0.1 ms, and the first runs are still unoptimised.
const TRIAL_MS = 15;
const TRIAL_SIZES = [64, 96, 128, 192, 256, 384, 512];

let makeKernel = null;
let kernel = null;
const rights = new Map(); // by key; used last comes last
const waiting = []; // blocks not begun
let isRunning = false;

// Between two blocks the thread looks into its mail: a message to itself comes
// after those that are already there, and is not slowed down as timers are.
const turn = new MessageChannel();
turn.port1.onmessage = run;

self.onmessage = (event) => {
  const message = event.data;
  if (message.type === 'start') start(message);
  else if (message.type === 'measure') measure();
  else if (message.type === 'cancel') cancel(message.number);
  else if (message.type === 'block') enqueue(message);
};

function start(message) {
  try {
    if (!message.module) throw new Error('no compute module');
    makeKernel = () => self.createWasmKernel(message.module);
    kernel = makeKernel();
  } catch {
    // No WebAssembly, or no memory for one more instance of it. What multiplies without it is
    // fetched only then.
    importScripts(...message.fallback);
    makeKernel = () => self.createTextbookKernel();
    kernel = makeKernel();
  }
  self.postMessage({ type: 'ready' });
}

/** Operations per microsecond of this one thread, on a square product. */
function measure() {
  let mflops = 0;
  try {
    for (const size of TRIAL_SIZES) {
      const ms = kernel.trial(size);
      if (ms > 0) mflops = (2 * size ** 3) / ms / 1000;
      if (ms >= TRIAL_MS) break;
    }
  } catch {
    kernel = makeKernel(); // a small device: what was measured so far stands
  }
  self.postMessage({ type: 'measured', mflops });
}

function enqueue(block) {
  waiting.push(block);
  if (isRunning) return;
  isRunning = true;
  turn.port2.postMessage(null);
}

function cancel(number) {
  const place = waiting.findIndex((block) => block.number === number);
  if (place < 0) return; // begun, or long done
  waiting.splice(place, 1);
  self.postMessage({ type: 'returned', number });
}

function run() {
  const block = waiting.shift();
  if (block) compute(block);
  isRunning = waiting.length > 0;
  if (isRunning) turn.port2.postMessage(null);
}

function compute(block) {
  const { number, task, rightKey, a, b } = block;
  if (!rights.has(rightKey) && !b) {
    self.postMessage({ type: 'returned', number, packed: [...rights.keys()] });
    return;
  }
  try {
    const right = packedRight(rightKey, task, b);
    const { product, compute_ms } = kernel.multiply(task, right, a);
    self.postMessage({ type: 'done', number, product, compute_ms, packed: [...rights.keys()] }, [product]);
  } catch (error) {
    recover(error);
    const reason = `the computation failed: ${error.message || error}`;
    self.postMessage({ type: 'failed', number, reason, damaged: error.damaged || null, packed: [...rights.keys()] });
  }
}

/** B as the kernel wants it: packed for an earlier block, or now. */
function packedRight(key, task, chunks) {
  let right = rights.get(key);
  rights.delete(key);
  if (!right) {
    makeRoom(RIGHTS_MAX - 1, RIGHT_BYTES_MAX - 8 * task.inner * task.cols);
    right = kernel.packRight(task, chunks);
  }
  rights.set(key, right);
  return right;
}

function makeRoom(countMax, bytesMax) {
  let bytes = [...rights.values()].reduce((sum, right) => sum + right.bytes, 0);
  for (const [key, right] of rights) {
    if (rights.size <= countMax && bytes <= bytesMax) return;
    bytes -= right.bytes;
    rights.delete(key);
    right.drop();
  }
}

/** After a damaged chunk all is well; after anything else the kernel's memory may be full or broken. */
function recover(error) {
  if (error.damaged) return;
  rights.clear();
  kernel = null; // so that the old memory can go before the new one comes
  kernel = makeKernel();
}
