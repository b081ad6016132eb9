// The middle of a page that computes: takes blocks from the node, finds their
// inputs, hands them to the threads, and keeps each product until the node has
// counted it.
//
// The way of a block here: waiting → fetching (a thread is found, and there is
// room for all it needs) → posted (to its thread), then its product is kept as
// a result until `counted` or `drop`. While one block is computed the inputs of
// the next are fetched and already posted, so a thread never waits for the
// network.

import { createAccount } from './account.js';
import { BYTES_MAX, createBudget, productBytes } from './budget.js';
import { createChunkStore } from './chunks.js';
import { chooseKernel, describeDevice } from './device.js';
import { createFiles } from './files.js';
import { PROTOCOL_VERSION } from './frame.js';
import { createLink, warnOnce } from './link.js';
import { chunksOfA, objectionTo, requireNamed, rightKeyOf } from './task.js';
import { createThreads } from './threads.js';

// A node sends twice as many blocks as there are threads, and those of tiny jobs
// beside them; one that sends more gets them back.
const BLOCKS_MAX = 80;

// Products that wait for `counted`. Beyond this no further block is begun: the
// node has not been heard for long, and threads are not to be ended for them.
const RESULT_BYTES_MAX = BYTES_MAX / 4;

// Blocks whose B a thread has go before one that finds no room, or two jobs
// would send for their B's in turns. But not for ever.
const PASSES_MAX = 8;

// The mesh keeps a lost page's blocks for 2 s, then others get them. Later
// than this, computing what is still queued would be work done twice.
const AWAY_MS_MAX = 5000;

const SWITCHED_OFF = 'this device is switched off, or its battery is low';

// Below this share, and not charging, the battery is its person's.
const BATTERY_LEVEL_MIN = 0.2;

/**
 * Starts contributing. `state` is what `window.matmesh.state` shows; `watched()` is the path whose
 * news the page wants, or null; `folder` is where these files lie.
 */
export function createContributor({ state, redrawId, watched, folder }) {
  const account = createAccount(state);
  const blocks = new Map(); // by job and block, in the order of their coming
  const results = new Map();
  let resultBytes = 0;
  let threadMflops = 0;
  let awayTimer = null;

  const budget = createBudget(state);
  const chunks = createChunkStore({
    request: (hash) => link.send({ type: 'chunk_request', hash }),
    onArrived: (owner) => owner.advance(),
    budget,
  });
  const onSent = (block) => block.advance();
  const threads = createThreads({ chunks, budget, onSent, onDone, onFailed, onReturned, onMeasured, onChanged: advance });

  state.device = describeDevice();
  state.kernel = chooseKernel();
  state.threads = Math.min(state.threads, state.threads_max);

  const link = createLink({
    onOpen: () => link.send({ type: 'hello', protocol: PROTOCOL_VERSION, worker: state.worker, status: status() }),
    onMessage,
    onLost,
  });

  startThreads();
  watchBattery();
  document.addEventListener('visibilitychange', sendStatus);
  account.changed();

  async function startThreads() {
    const files = createFiles(folder, link.address);
    try {
      const [kernel, script] = await Promise.all([files.kernel(state.kernel), files.threadScript()]);
      state.kernel = kernel.name;
      threads.start(script, kernel, state.threads, files.fallbackScripts);
    } catch (error) {
      threads.giveUp(error);
    }
    sendStatus();
  }

  /** Only secure pages are told of the battery, and not by every browser. */
  async function watchBattery() {
    if (!navigator.getBattery) return;
    try {
      const battery = await navigator.getBattery();
      const look = () => {
        const isLow = !battery.charging && battery.level < BATTERY_LEVEL_MIN;
        if (isLow === state.battery_low) return;
        state.battery_low = isLow;
        settingsChanged();
      };
      battery.addEventListener('levelchange', look);
      battery.addEventListener('chargingchange', look);
      look();
    } catch {
      // The browser would rather not say.
    }
  }

  const isContributing = () => state.contributing && !state.battery_low && !threads.areBroken();

  // --- What the node hears of this device

  function status() {
    return {
      device: state.device,
      threads: state.threads,
      mflops: state.mflops,
      visible: document.visibilityState === 'visible',
      contributing: isContributing(),
    };
  }

  function sendStatus() {
    if (state.connected) link.send({ type: 'status', status: status() });
    account.changed();
  }

  function onMeasured(mflops) {
    threadMflops = mflops;
    state.mflops = threadMflops * state.threads;
    sendStatus();
  }

  function settingsChanged() {
    threads.setCount(state.threads);
    state.mflops = threadMflops * state.threads;
    sendStatus();
    account.changedByPerson();
    if (!isContributing()) giveBackAll(SWITCHED_OFF);
    advance();
  }

  // --- What the node says

  function onMessage(message, payload) {
    try {
      dispatch(message, payload);
    } catch (error) {
      warnOnce(`broken ${message.type}`, `a broken message was ignored: ${message.type}: ${error.message}`);
    }
    advance();
  }

  function dispatch(message, payload) {
    switch (message.type) {
      case 'welcome':
        return onWelcome(message);
      case 'nodes':
        return link.setNodes(message.nodes);
      case 'superseded':
        return onSuperseded();
      case 'task':
        return onTask(message.task);
      case 'drop':
        return onDrop(message);
      case 'chunk':
        return onChunk(message.hash, payload);
      case 'chunk_missing':
        return onChunkLost(message.hash, 'no holder of a chunk answers');
      case 'counted':
        return onCounted(message);
      case 'news':
        return onNews(payload);
      default:
        return warnOnce(`type ${message.type}`, `a message of type ${message.type} was ignored`);
    }
  }

  function onWelcome(message) {
    clearTimeout(awayTimer);
    link.welcomed();
    link.setNodes(message.nodes);
    state.connected = true;
    state.elsewhere = link.address() === location.origin ? '' : link.address();
    watch();
    // The kernel may have been measured while the hello was on its way.
    sendStatus();
    for (const result of results.values()) deliver(result);
    if (blocks.size > 0) {
      const held = [...blocks.values()].map(({ task }) => ({ job: task.job, block: task.block }));
      link.send({ type: 'holding', blocks: held });
    }
    chunks.requestAgain();
  }

  /** Tells the node what the page shows: it sends all of it, then what is new. */
  function watch() {
    if (state.connected && watched() !== null) link.send({ type: 'watch', path: watched() });
  }

  /** For the page's own script, which knows what they mean. */
  function onNews(payload) {
    const detail = new TextDecoder().decode(payload);
    window.dispatchEvent(new CustomEvent('matmesh:news', { detail }));
  }

  function onLost() {
    state.connected = false;
    awayTimer = setTimeout(() => giveBackAll('away for too long'), AWAY_MS_MAX);
    account.changed();
  }

  /** Another tab came with this id, as a duplicated tab does: it keeps the id, its blocks and its account. */
  function onSuperseded() {
    state.connected = false;
    giveBackAll('superseded');
    redrawId();
    account.reset();
    link.restart();
  }

  function onTask(task) {
    requireNamed(task);
    const key = keyOf(task);
    if (results.has(key)) {
      // While something is still leaving, that may be this result.
      if (link.isClear()) deliver(results.get(key));
      return;
    }
    if (blocks.has(key)) return;
    const block = { key, task, wishes: [], rightKey: '', thread: null, number: 0, stage: 'waiting', passed: 0, recalledFor: null };
    block.advance = () => postWhole(block);
    block.cameAt = performance.now();
    const objection = objectionTo(task);
    if (objection) return giveBack(block, objection);
    if (!isContributing()) return giveBack(block, SWITCHED_OFF);
    if (blocks.size >= BLOCKS_MAX) return giveBack(block, 'the queue is full');
    block.rightKey = rightKeyOf(task);
    blocks.set(key, block);
  }

  function onDrop(message) {
    const isMeant = ({ task }) => task.job === message.job && (message.block === null || task.block === message.block);
    for (const block of [...blocks.values()].filter(isMeant)) discard(block);
    for (const result of [...results.values()].filter(isMeant)) removeResult(result);
    if (message.block !== null) return;
    // What nobody wishes at a job's end was mostly its.
    chunks.makeRoom(Infinity);
    threads.renewIdle();
  }

  function onChunk(hash, bytes) {
    if (!chunks.arrived(hash, bytes)) onChunkLost(hash, 'a chunk came in another length');
  }

  function onChunkLost(hash, reason) {
    for (const owner of chunks.failed(hash)) {
      for (const block of owner.blocks ? [...owner.blocks] : [owner]) giveBack(block, reason);
    }
  }

  function onCounted(message) {
    const result = results.get(keyOf(message));
    if (!result) return;
    removeResult(result);
    if (message.counted !== true) return;
    const { operations, compute_ms } = result.proof;
    account.count(message.job, result.task.row_start, { rows: result.task.rows, operations, compute_ms });
  }

  // --- What the threads say

  function onDone(block, product, compute_ms) {
    if (blocks.get(block.key) !== block) return; // dropped meanwhile
    blocks.delete(block.key);
    const { task } = block;
    const operations = 2 * task.rows * task.inner * task.cols;
    const receiveMs = block.readyAt - block.assignedAt;
    // What is left of the time since it came is what it waited for its thread.
    const waitMs = performance.now() - block.cameAt - receiveMs - compute_ms;
    const times = { compute_ms, receive_us: toMicros(receiveMs), wait_us: toMicros(waitMs) };
    const result = { key: block.key, task, product, proof: { ...times, operations, bytes: product.length } };
    results.set(block.key, result);
    budget.hold(result, productBytes(task));
    resultBytes += productBytes(task);
    deliver(result);
  }

  function onFailed(block, reason, damaged) {
    if (damaged) onChunkLost(damaged, reason);
    if (blocks.get(block.key) === block) giveBack(block, reason);
  }

  /** A thread did not begin it: it was one too many, had to be ended, or we asked. */
  function onReturned(block) {
    block.wishes.splice(0).forEach(chunks.release);
    if (blocks.get(block.key) !== block) return;
    block.stage = 'waiting';
    if (block.recalledFor) giveBack(block, block.recalledFor);
  }

  // --- Moving blocks on

  function advance() {
    let first = null; // of those that find no room
    for (const block of blocks.values()) {
      if (resultBytes >= RESULT_BYTES_MAX || (first && first.passed >= PASSES_MAX)) break;
      if (block.stage !== 'waiting') continue;
      if (!threads.assign(block, first !== null)) first = first || block;
      else {
        if (first) first.passed += 1;
        fetchInputs(block);
      }
    }
    if (threads.areBroken()) giveBackAll('this browser cannot start its threads');
  }

  function fetchInputs(block) {
    block.stage = 'fetching';
    block.assignedAt = performance.now();
    block.wishes = chunksOfA(block.task).map((chunk) => ({ ...chunk, owner: block }));
    block.wishes.forEach(chunks.take);
    postWhole(block);
  }

  /** Posts a block to its thread when all of its inputs are here, or there. */
  function postWhole(block) {
    if (block.stage !== 'fetching' || !block.wishes.every(chunks.isHere) || !threads.isSent(block)) return;
    block.stage = 'posted';
    block.readyAt = performance.now();
    threads.post(block, block.wishes.splice(0).map(chunks.give));
  }

  function deliver({ task, proof, product }) {
    if (state.connected) link.send({ type: 'result', job: task.job, block: task.block, proof }, product);
  }

  function removeResult(result) {
    results.delete(result.key);
    budget.hold(result, 0);
    resultBytes -= productBytes(result.task);
  }

  /** The block is not ours any more; a thread that has it but did not begin will not. */
  function discard(block) {
    blocks.delete(block.key);
    threads.takeBack(block);
    block.wishes.splice(0).forEach(chunks.release);
  }

  function giveBack(block, reason) {
    discard(block);
    // Without a link, or under an id that is another's now, the node finds out by itself.
    if (state.connected) link.send({ type: 'give_back', job: block.task.job, block: block.task.block, reason });
  }

  /** All but those that a thread may be computing: they are nearly done, and count. */
  function giveBackAll(reason) {
    for (const block of [...blocks.values()]) {
      if (block.stage !== 'posted') giveBack(block, reason);
      else if (!block.recalledFor) {
        block.recalledFor = reason;
        threads.takeBack(block);
      }
    }
  }

  return { settingsChanged, watch };
}

function keyOf({ job, block }) {
  return `${job}:${block}`;
}

function toMicros(ms) {
  return Math.max(0, Math.round(ms * 1000));
}
