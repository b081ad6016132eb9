// The Web Workers that compute: starts and retires them, gives each its
// blocks, and notices when one breaks.
//
// Each has at most two blocks: the one it computes and the next, whose inputs
// are then already there.

const BLOCKS_PER_THREAD = 2;

// A browser that ends our Web Workers again and again has its reasons, mostly
// memory. After so many we stop asking for new ones.
const BREAKS_MAX = 3;

/**
 * `onDone(block, product, compute_ms)`, `onFailed(block, reason, damagedHash)`
 * and `onReturned(block)` end a block's stay with a thread; `onMeasured(mflops)`
 * tells the speed of one thread; `onChanged()` says that there may be room.
 */
export function createThreads({ onDone, onFailed, onReturned, onMeasured, onChanged }) {
  let script = '';
  let fallback = []; // addresses of the scripts that multiply without WebAssembly
  let kernel = null; // until it is loaded no thread starts
  let count = 0;
  let breaks = 0;
  let lastNumber = 0;
  let isMeasured = false;
  const threads = new Set();

  function startThread() {
    const thread = { worker: null, posted: new Map(), packed: new Set(), isReady: false, isRetiring: false };
    threads.add(thread);
    try {
      thread.worker = new Worker(script);
    } catch (error) {
      return breakThread(thread, String(error));
    }
    thread.worker.onmessage = (event) => receive(thread, event.data);
    thread.worker.onerror = (event) => {
      event.preventDefault();
      breakThread(thread, event.message || 'a Web Worker did not start');
    };
    thread.worker.postMessage({ type: 'start', kernel: kernel.name, module: kernel.module, fallback });
  }

  function receive(thread, message) {
    if (!threads.has(thread)) return; // its last words
    if (message.type === 'ready') return onThreadReady(thread);
    if (message.type === 'measured') return onMeasured(message.mflops);

    const block = thread.posted.get(message.number);
    if (!block) return;
    thread.posted.delete(message.number);
    if (message.packed) thread.packed = new Set(message.packed);
    if (message.type === 'done') onDone(block, new Uint8Array(message.product), message.compute_ms);
    else if (message.type === 'returned') onReturned(block);
    else onFailed(block, message.reason, message.damaged);
    endIfRetired(thread);
  }

  function onThreadReady(thread) {
    thread.isReady = true;
    if (!isMeasured) {
      isMeasured = true;
      thread.worker.postMessage({ type: 'measure' });
    }
    onChanged();
  }

  /** A thread ended by itself; what it had may be the cause, so it is given back and not tried again here. */
  function breakThread(thread, reason) {
    if (!threads.delete(thread)) return;
    if (thread.worker) thread.worker.terminate();
    breaks += 1;
    console.warn(`matmesh: a thread broke: ${reason}`);
    for (const block of thread.posted.values()) onFailed(block, `a thread broke: ${reason}`, null);
    setCount(count);
    onChanged();
  }

  function setCount(wish) {
    count = wish;
    if (!kernel) return;
    let working = [...threads].filter((thread) => !thread.isRetiring);
    while (working.length < count && breaks < BREAKS_MAX) {
      startThread();
      working = [...threads].filter((thread) => !thread.isRetiring);
    }
    for (const thread of working.slice(count)) {
      thread.isRetiring = true;
      for (const number of thread.posted.keys()) thread.worker.postMessage({ type: 'cancel', number });
      endIfRetired(thread);
    }
  }

  function endIfRetired(thread) {
    if (!thread.isRetiring || thread.posted.size > 0) return;
    threads.delete(thread);
    thread.worker.terminate();
  }

  /** The thread with most room, and among equals one that has packed this B already. */
  function choose(rightKey) {
    let chosen = null;
    for (const thread of threads) {
      if (!thread.isReady || thread.isRetiring || thread.posted.size >= BLOCKS_PER_THREAD) continue;
      const isBetter =
        !chosen ||
        thread.posted.size < chosen.posted.size ||
        (thread.posted.size === chosen.posted.size && thread.packed.has(rightKey) && !chosen.packed.has(rightKey));
      if (isBetter) chosen = thread;
    }
    return chosen;
  }

  return {
    /** Starts `wish` threads that run the script at `address` with a loaded kernel. */
    start(address, loaded, wish, fallbackScripts) {
      script = address;
      fallback = fallbackScripts;
      kernel = loaded;
      setCount(wish);
    },

    setCount,

    /** No thread can ever start. */
    giveUp(error) {
      console.warn('matmesh: this browser does not compute:', error);
      breaks = BREAKS_MAX;
      onChanged();
    },

    /** Hands a block to a thread; `bytesOf(hash)` gives its chunks. False when no thread has room. */
    post(block, bytesOf) {
      const thread = choose(block.rightKey);
      if (!thread) return false;
      const { task, rightKey } = block;
      const take = (input) => (input.chunks ? input.chunks.map((chunk) => bytesOf(chunk.hash)) : []);
      // B goes only to a thread that has not packed it; should it have lost it
      // meanwhile, it returns the block.
      const b = thread.packed.has(rightKey) ? null : take(task.b);
      thread.packed.add(rightKey);
      lastNumber += 1;
      thread.posted.set(lastNumber, block);
      thread.worker.postMessage({ type: 'block', number: lastNumber, task, rightKey, a: take(task.a), b });
      return true;
    },

    /** Takes a block back if its thread has not begun it; `onReturned` tells. */
    cancel(block) {
      for (const thread of threads) {
        for (const [number, posted] of thread.posted) {
          if (posted === block) thread.worker.postMessage({ type: 'cancel', number });
        }
      }
    },

    /** True when no thread works and none will be tried again. */
    areBroken: () => threads.size === 0 && breaks >= BREAKS_MAX,
  };
}
