// One thread: a Web Worker that computes block after block.
//
// It knows no node and no job, only blocks with their inputs. It packs the B's
// that the page sends, and keeps each until the page tells it to forget it:
// what there is room for is known there. Each answer says how large this
// thread's memory is.
// A plain script that runs behind those of both kernels: see files.js.
'use strict';

// The speed is measured until a multiplication takes this long: the browser's
// clock is blurred to about 0.1 ms, and the first runs are still unoptimised.
const TRIAL_MS = 15;
const TRIAL_SIZES = [64, 96, 128, 192, 256, 384, 512];

let kernel = null;
const rights = new Map(); // by key
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
  else if (message.type === 'right') pack(message.rightKey, () => rights.set(message.rightKey, kernel.packRight(message.task)));
  else if (message.type === 'rows') pack(message.rightKey, () => takeRows(message));
  else if (message.type === 'forget') forget(message.rightKey);
  else if (message.type === 'block') enqueue(message);
};

function answer(message, transfer = []) {
  self.postMessage({ ...message, memory_bytes: kernel.memoryBytes() }, transfer);
}

function start(message) {
  try {
    if (!message.module) throw new Error('no compute module');
    kernel = self.createWasmKernel(message.module);
  } catch {
    // No WebAssembly, or no memory for one more instance of it. What multiplies without it is
    // fetched only then.
    importScripts(...message.fallback);
    kernel = self.createTextbookKernel();
  }
  answer({ type: 'ready' });
}

/** Operations per microsecond of this one thread, on a square product. */
function measure() {
  let mflops = 0;
  let isBroken = false;
  try {
    for (const size of TRIAL_SIZES) {
      const ms = kernel.trial(size);
      if (ms > 0) mflops = (2 * size ** 3) / ms / 1000;
      if (ms >= TRIAL_MS) break;
    }
  } catch {
    isBroken = true; // a small device: what was measured so far stands
  }
  answer({ type: 'measured', mflops, isBroken });
}

/** Begins a B, or takes the next of its rows. One that is forgotten, or failed, takes none. */
function pack(rightKey, take) {
  try {
    take();
    answer({ type: 'packed' });
  } catch (error) {
    forget(rightKey);
    answer({ type: 'packed', ...describe(error) });
  }
}

function takeRows({ rightKey, bytes }) {
  if (rights.has(rightKey)) rights.get(rightKey).push(bytes);
}

function forget(rightKey) {
  const right = rights.get(rightKey);
  rights.delete(rightKey);
  if (right) right.drop();
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
  answer({ type: 'returned', number });
}

function run() {
  const block = waiting.shift();
  if (block) compute(block);
  isRunning = waiting.length > 0;
  if (isRunning) turn.port2.postMessage(null);
}

function compute({ number, task, rightKey, a }) {
  const right = rights.get(rightKey);
  if (!right) return answer({ type: 'returned', number }); // packing it failed, as the page was told
  try {
    const { product, compute_ms } = kernel.multiply(task, right, a);
    answer({ type: 'done', number, product, compute_ms }, [product]);
  } catch (error) {
    answer({ type: 'failed', number, ...describe(error) });
  }
}

/** After a damaged chunk all is well; after anything else the kernel's memory may be full or broken, and the page ends this thread. */
function describe(error) {
  const damaged = error.damaged || null;
  return { reason: `the computation failed: ${error.message || error}`, damaged, isBroken: !damaged };
}
