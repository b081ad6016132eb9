// The page's half of a device that computes: opening any page makes it a worker.
//
// This file is a plain deferred script on every page. It does what has to be
// there before anything else asks for it, `window.matmesh`, and hands over to
// the modules in compute/:
//
//   contributor.js     the middle: takes tasks, finds inputs, delivers results
//   link.js            the socket to a node, and the way to another node
//   frame.js           the bytes of a message
//   task.js            a block as a node describes it: is it sound, what does it need
//   budget.js          the memory of this page: who holds how much of it
//   chunks.js          pieces of matrices, fetched once
//   threads.js         the Web Workers
//   rights.js          B on its way into one of them
//   account.js         what this device did, and who is told
//   device.js          what this device is
//   files.js           what the threads need, from whichever node answers
//
// and, inside each Web Worker (plain scripts again, because older phones know
// no modules there):
//
//   kernel-worker.js   one thread: takes a block, answers with its product
//   wasm-kernel.js     multiplies with the compute module
//   textbook.js        multiplies without WebAssembly (with philox.js, blake3.js)
//
// Nothing heavy ever runs on the page's own thread.
(() => {
  'use strict';
  if (window.matmesh) return;

  // At most this many Web Workers: beyond it a browser's memory, not its
  // cores, is what ends first.
  const THREADS_MAX = 16;

  const here = document.currentScript ? document.currentScript.src : location.origin + '/compute-worker.js';

  /** A value kept by the browser; null where storage is closed to this page. */
  function kept(storage, key) {
    try {
      return window[storage].getItem(key);
    } catch {
      return null;
    }
  }

  function keep(storage, key, value) {
    try {
      window[storage].setItem(key, value);
    } catch {
      // A private window without storage: the setting lives as long as the page.
    }
  }

  /** 128 random bits; `getRandomValues` works on plain http too. */
  function drawId() {
    const bytes = crypto.getRandomValues(new Uint8Array(16));
    return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
  }

  /**
   * The tab's id: the one it had before a reload, unless a link from another
   * node's page carries one, which is this device under its name there. A
   * carried id is taken once: should the tab have to draw a new one later, the
   * address, which still shows the old one, must not bring it back.
   */
  function findId() {
    const isId = (text) => /^[0-9a-f]{32}$/.test(text || '');
    const before = kept('sessionStorage', 'matmesh.worker');
    const carried = new URLSearchParams(location.search).get('device');
    const isNews = isId(carried) && carried !== kept('sessionStorage', 'matmesh.carried');
    if (isNews) keep('sessionStorage', 'matmesh.carried', carried);
    if (!isNews && isId(before)) return before;
    const id = isNews ? carried : drawId();
    keep('sessionStorage', 'matmesh.worker', id);
    return id;
  }

  function clampThreads(wish, most) {
    return Math.min(most, Math.max(1, Math.trunc(wish)));
  }

  const cores = navigator.hardwareConcurrency || 2;
  const threadsMax = Math.min(THREADS_MAX, Math.max(1, cores));
  const wished = Number(kept('localStorage', 'matmesh.threads'));

  const state = {
    worker: findId(),
    connected: false,
    // The address of the linked node while that is not the page's own.
    elsewhere: '',
    device: '',
    // One core is left to the page and to whatever else the person does.
    threads: clampThreads(wished > 0 ? wished : cores - 1, threadsMax),
    threads_max: threadsMax,
    battery_low: false,
    contributing: kept('localStorage', 'matmesh.contributing') !== 'false',
    mflops: 0,
    kernel: 'javascript',
    // Memory for computing, counted before it exists: what is held or promised
    // now, and the most that it ever was.
    held_bytes: 0,
    held_bytes_max: 0,
    jobs: {},
    total: { blocks: 0, rows: 0, operations: 0, compute_ms: 0 },
  };

  // The contributor arrives a moment later; it reads the settings then.
  let contributor = null;
  let watched = null;

  window.matmesh = {
    state,
    /** Whether this device takes blocks; kept for the next visit. */
    setContributing(on) {
      state.contributing = Boolean(on);
      keep('localStorage', 'matmesh.contributing', String(state.contributing));
      if (contributor) contributor.settingsChanged();
    },
    /** The path that the page shows: its news come as events `matmesh:news`, the detail is JSON. */
    watch(path) {
      watched = String(path);
      if (contributor) contributor.watch();
    },
    /** How many Web Workers compute; kept for the next visit. */
    setThreads(wish) {
      if (!Number.isFinite(Number(wish))) return;
      state.threads = clampThreads(Number(wish), threadsMax);
      keep('localStorage', 'matmesh.threads', String(state.threads));
      if (contributor) contributor.settingsChanged();
    },
  };

  function redrawId() {
    state.worker = drawId();
    keep('sessionStorage', 'matmesh.worker', state.worker);
  }

  import(new URL('compute/contributor.js', here).href)
    .then((module) => {
      contributor = module.createContributor({
        state,
        redrawId,
        watched: () => watched,
        folder: new URL('compute/', here).href,
      });
    })
    .catch((error) => console.warn('matmesh: this browser does not compute:', error));
})();
