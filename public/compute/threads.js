// The Web Workers that compute: starts and ends them, finds each block one that
// has room for it, and notices when one breaks.
//
// Each has at most two blocks: the one it computes and the next, whose inputs
// are then already there. And each keeps the B's that it packed: the next block
// mostly needs the same one.
//
// A memory never shrinks, and what a thread lets go stays for as long as its
// browser likes. So an idle thread whose memory is in the way is ended, the
// longest unused first, and another starts where there is room for a block.

import { blockBytes, rightBytes, sendingBytes, THREAD_BYTES, workBytes } from './budget.js';
import { sendRight } from './rights.js';

const BLOCKS_PER_THREAD = 2;

// An idle thread that grew beyond this is begun anew when a job ends, or the
// speed is measured: its memory goes back to the device.
const IDLE_BYTES_MAX = 8e6;

// The largest product of the trial in kernel-worker.js.
const TRIAL = { rows: 512, inner: 512, cols: 512, b: {} };

// A browser that ends our Web Workers again and again has its reasons, mostly
// memory. After so many we stop asking for new ones.
const BREAKS_MAX = 3;

/**
 * `onSent(block)` tells that all of B is with the block's thread. `onDone(block, product, compute_ms)`,
 * `onFailed(block, reason, damagedHash)` and `onReturned(block)` end a block's stay with a thread;
 * `onMeasured(mflops)` tells the speed of one thread; `onChanged()` says that there may be room.
 */
export function createThreads({ chunks, budget, onSent, onDone, onFailed, onReturned, onMeasured, onChanged }) {
  let script = '';
  let fallback = null; // gives the addresses of the scripts that multiply without WebAssembly
  let kernel = null; // until it is loaded no thread starts
  let count = 0;
  let countMax = Infinity; // once too many broke, those that are left
  let breaks = 0;
  let lastNumber = 0;
  let isMeasured = false;
  let measuring = null; // the thread that measures for all how fast they are
  const threads = new Set(); // used last comes last

  /** A thread with an empty memory; null when it does not start. */
  function startThread() {
    const thread = {
      worker: null,
      blocks: new Map(), // by number; those it has, and those whose inputs are still coming
      rights: new Map(), // by key
      packing: [], // the right of each message about one, until it is answered
      bytes: 0, // its memory, or what that may become
      work: 0, // what there is room for beside its B's
      isReady: false,
      isRetiring: false,
    };
    threads.add(thread);
    grow(thread, THREAD_BYTES);
    try {
      thread.worker = new Worker(script);
    } catch (error) {
      breakThread(thread, String(error));
      return null;
    }
    thread.worker.onmessage = (event) => receive(thread, event.data);
    thread.worker.onerror = (event) => {
      event.preventDefault();
      breakThread(thread, event.message || 'a Web Worker did not start');
    };
    thread.worker.postMessage({ type: 'start', kernel: kernel.name, module: kernel.module, fallback: fallback() });
    return thread;
  }

  function grow(thread, bytes) {
    thread.bytes += bytes;
    budget.hold(thread, thread.bytes);
  }

  function receive(thread, message) {
    if (!threads.has(thread)) return; // its last words
    // Should it ever be larger than was foreseen, that counts.
    grow(thread, Math.max(0, message.memory_bytes - thread.bytes));
    if (message.type === 'ready') thread.isReady = true;
    else if (message.type === 'measured') measured(message.mflops);
    else if (message.type === 'packed') onPacked(thread, message);
    else onAnswer(thread, message);
    if (message.isBroken) {
      endThread(thread);
      setCount(count);
    }
    endIfRetired(thread);
    onChanged();
  }

  function measured(mflops) {
    measuring = null;
    onMeasured(mflops);
    renewIdle();
  }

  function onPacked(thread, { reason, damaged }) {
    const right = thread.packing.shift();
    right.onAnswer();
    if (!reason) return;
    for (const [key, kept] of thread.rights) if (kept === right) thread.rights.delete(key);
    right.drop(false);
    for (const block of [...right.blocks]) onFailed(block, reason, damaged);
  }

  function onAnswer(thread, message) {
    const block = thread.blocks.get(message.number);
    if (!block) return;
    leave(thread, block);
    if (message.type === 'returned') return onReturned(block);
    if (message.type === 'failed') return onFailed(block, message.reason, message.damaged);
    onDone(block, new Uint8Array(message.product), message.compute_ms);
  }

  /** The block is not this thread's any more. A B that only it needed is sent no further. */
  function leave(thread, block) {
    thread.blocks.delete(block.number);
    block.thread = null;
    budget.hold(block, 0);
    const right = thread.rights.get(block.rightKey);
    if (!right || !right.blocks.delete(block) || right.blocks.size > 0 || right.isSent) return;
    thread.rights.delete(block.rightKey);
    right.drop(false);
  }

  /** Ends a thread, and with it its memory; its blocks come back. */
  function endThread(thread) {
    if (!threads.delete(thread)) return;
    if (thread.worker) thread.worker.terminate();
    if (thread === measuring) isMeasured = false;
    budget.hold(thread, 0);
    for (const right of [...thread.rights.values(), ...thread.packing]) right.drop(true);
    for (const block of [...thread.blocks.values()]) {
      block.thread = null;
      budget.hold(block, 0);
      onReturned(block);
    }
  }

  /** A thread ended by itself; what it had may be the cause, so it is given back and not tried again here. */
  function breakThread(thread, reason) {
    if (!threads.has(thread)) return;
    breaks += 1;
    console.warn(`matmesh: a thread broke: ${reason}`);
    const suspects = thread.isReady ? [...thread.blocks.values()] : [];
    endThread(thread);
    if (breaks >= BREAKS_MAX) countMax = threads.size;
    for (const block of suspects) onFailed(block, `a thread broke: ${reason}`, null);
    setCount(count);
    onChanged();
  }

  function renewIdle() {
    for (const thread of [...threads]) {
      if (thread.blocks.size === 0 && thread !== measuring && thread.bytes > IDLE_BYTES_MAX) endThread(thread);
    }
    setCount(count);
  }

  const working = () => [...threads].filter((thread) => !thread.isRetiring);

  const mayStart = () => Boolean(kernel) && working().length < Math.min(count, countMax);

  function setCount(wish) {
    count = wish;
    while (mayStart() && budget.left() >= THREAD_BYTES) {
      const thread = startThread();
      if (!thread || isMeasured) continue;
      isMeasured = true;
      measuring = thread;
      grow(thread, rightBytes(TRIAL) + workBytes(TRIAL));
      thread.worker.postMessage({ type: 'measure' });
    }
    for (const thread of working().slice(count)) {
      thread.isRetiring = true;
      for (const block of [...thread.blocks.values()]) {
        takeBack(block);
        if (block.stage !== 'posted') onReturned(block);
      }
      endIfRetired(thread);
    }
  }

  function endIfRetired(thread) {
    if (thread.isRetiring && thread.blocks.size === 0) endThread(thread);
  }

  function takeBack(block) {
    const { thread, number } = block;
    if (!thread) return;
    if (block.stage === 'posted') thread.worker.postMessage({ type: 'cancel', number });
    else leave(thread, block);
  }

  /** Whether so many bytes are free and there is a thread to use, or will be without those that are idle. */
  function makeRoom(bytes, used, mayEnd) {
    const isEnough = () => (used || mayStart()) && chunks.makeRoom(bytes);
    const idle = [...threads].filter((thread) => mayEnd && thread !== used && thread !== measuring && thread.blocks.size === 0);
    if (idle.reduce((sum, thread) => sum + thread.bytes, chunks.left()) < bytes) return false;
    while (idle.length > 0 && !isEnough()) endThread(idle.shift());
    return isEnough();
  }

  /** Gives a block to this thread, or to a new one; false when there is no room for it. */
  function place(block, used, mayEnd) {
    const { task, rightKey } = block;
    const isPacked = used && used.rights.has(rightKey);
    const work = workBytes(task);
    const hasRoom = isPacked && work <= used.work;
    // A new B may lie where there was room for the work beside the others.
    const growth = hasRoom ? 0 : work + (isPacked ? 0 : rightBytes(task));
    const beside = (used ? 0 : THREAD_BYTES) + (isPacked ? 0 : sendingBytes(task)) + blockBytes(task);
    if (!makeRoom(growth + beside, used, mayEnd)) return false;
    const thread = used || startThread();
    if (!thread) return false;
    threads.delete(thread);
    threads.add(thread);
    grow(thread, growth);
    if (!hasRoom) thread.work = work;
    budget.hold(block, blockBytes(task));
    lastNumber += 1;
    block.number = lastNumber;
    block.thread = thread;
    thread.blocks.set(block.number, block);
    if (!isPacked) thread.rights.set(rightKey, sendRight(block, { post: postRight(thread), onSent: tellSent, chunks, budget }));
    thread.rights.get(rightKey).blocks.add(block);
    return true;
  }

  const postRight = (thread) => (right, message, transfer) => {
    if (message.type !== 'forget') thread.packing.push(right);
    thread.worker.postMessage(message, transfer || []);
  };

  const tellSent = (right) => [...right.blocks].forEach(onSent);

  /** The thread with fewest blocks first, and among equals one that has this B; null is a new one. */
  function candidatesFor(rightKey) {
    const open = working().filter((thread) => thread.blocks.size < BLOCKS_PER_THREAD);
    const rank = (thread) => (thread ? 3 * thread.blocks.size - thread.rights.has(rightKey) : 1);
    return [...open, null].sort((one, other) => rank(one) - rank(other));
  }

  return {
    /** Starts `wish` threads that run the script at `address` with a loaded kernel. */
    start(address, loaded, wish, fallbackScripts) {
      script = address;
      fallback = fallbackScripts;
      kernel = loaded;
      setCount(wish);
      onChanged();
    },

    setCount,

    /** No thread can ever start. */
    giveUp(error) {
      console.warn('matmesh: this browser does not compute:', error);
      breaks = BREAKS_MAX;
      countMax = 0;
      onChanged();
    },

    /**
     * Finds a block its thread, and counts all that it will need; B is on its way then. With
     * `mustBePacked` only a thread that has this B. False when there is no room.
     */
    assign(block, mustBePacked) {
      for (const mayEnd of mustBePacked ? [false] : [false, true]) {
        for (const thread of candidatesFor(block.rightKey)) {
          if (block.thread) return true; // a thread that did not start had others look for room, too
          if (mustBePacked && !(thread && thread.rights.has(block.rightKey))) continue;
          if (thread && !threads.has(thread)) continue; // ended to make room, but not enough
          if (place(block, thread, mayEnd)) return true;
        }
      }
      return false;
    },

    /** Whether the last chunk of B is with the block's thread, or on its way there. */
    isSent: ({ thread, rightKey }) => thread.rights.get(rightKey).isSent,

    /** Hands an assigned block to its thread, with the bytes of A's chunks: they are the thread's then. */
    post({ thread, number, task, rightKey }, a) {
      thread.worker.postMessage({ type: 'block', number, task, rightKey, a }, a.map((bytes) => bytes.buffer));
    },

    /** Takes an assigned block back. If its thread has it already and did not begin it, `onReturned` tells. */
    takeBack,

    /** Most of what idle threads hold is no longer needed. */
    renewIdle,

    /** True when no thread works and none will be tried again. */
    areBroken: () => countMax === 0,
  };
}
