// What a page holds: never more than 64 MB over all its threads, what is in flight and kept included.
//
// Looked at twice: as the page counts it before it exists, and as it is, seen from outside of the page's
// scripts: the memory of each thread, and what is on its way there.

import type { Page } from '@playwright/test';
import { expect, expectSameBits, JOB, resultOf, seededTask, stateOf, StoredProduct, test, type Bench } from './bridge';
import type { PageLink } from '../../support/mock_node';

const BYTES_MAX = 64e6;
const MIB = 1 << 20;
const OTHER_JOB = 'ef'.repeat(16);

/** Opens the page as on a device with so many cores, and watches its threads from the first on. */
async function openWatched(page: Page, open: Bench['open'], threads: number): Promise<PageLink> {
  await page.addInitScript((cores) => {
    Object.defineProperty(navigator, 'hardwareConcurrency', { get: () => cores });
    const seen = { bytes_max: 0, threads_max: 0, largest_thread: 0 };
    const living = new Set<WatchedWorker>();
    const lengthOf = (message: any) => [message.bytes, ...(message.a ?? [])].reduce((sum, part) => sum + (part ? part.byteLength : 0), 0);

    class WatchedWorker extends Worker {
      memory = 0;
      rows: number[] = []; // lengths of messages about a B, until they are answered
      blocks = new Map<number, number>();
      private isTold = false;

      override postMessage(message: any, transfer?: any): void {
        if (message.type === 'start') living.add(this);
        if (!this.isTold) this.addEventListener('message', ({ data }) => this.hear(data));
        this.isTold = true;
        if (message.type === 'right' || message.type === 'rows') this.rows.push(lengthOf(message));
        if (message.type === 'block') this.blocks.set(message.number, lengthOf(message));
        super.postMessage(message, transfer);
        look();
      }

      override terminate(): void {
        living.delete(this);
        super.terminate();
      }

      private hear(answer: any): void {
        this.memory = answer.memory_bytes;
        if (answer.type === 'packed') this.rows.shift();
        this.blocks.delete(answer.number);
        look();
      }
    }

    function look(): void {
      const threads = [...living];
      const bytesOf = (thread: WatchedWorker) => [thread.memory, ...thread.rows, ...thread.blocks.values()].reduce((sum, part) => sum + part, 0);
      seen.bytes_max = Math.max(seen.bytes_max, threads.reduce((sum, thread) => sum + bytesOf(thread), 0));
      seen.largest_thread = Math.max(seen.largest_thread, ...threads.map((thread) => thread.memory));
      seen.threads_max = Math.max(seen.threads_max, threads.filter((thread) => thread.memory > 6e6).length);
    }

    Object.assign(window, { Worker: WatchedWorker, seen });
  }, threads + 1);
  const link = await open(page);
  await page.waitForFunction(() => (window as any).matmesh.state.mflops > 0);
  expect((await stateOf(page)).threads).toBe(threads);
  return link;
}

/** Counts each result, as a node does. */
function countResults(link: PageLink): void {
  const serve = link.onReceive;
  link.onReceive = (received) => {
    serve(received);
    const { type, job, block } = received.message;
    if (type === 'result') link.send({ type: 'counted', job, block, counted: true, rows: 1 });
  };
}

async function expectBelowLimit(page: Page, name: string): Promise<void> {
  const state = await stateOf(page);
  const seen = await page.evaluate(() => (window as any).seen);
  test.info().annotations.push({ type: name, description: JSON.stringify({ ...seen, held_bytes_max: state.held_bytes_max }) });
  expect(state.held_bytes_max).toBeLessThanOrEqual(BYTES_MAX);
  expect(seen.bytes_max).toBeLessThanOrEqual(state.held_bytes_max);
  expect(seen.bytes_max).toBeGreaterThan(0);
}

for (const [threads, inner, cols] of [[4, 2048, 1536], [1, 4096, 1024], [16, 4096, 1024]]) {
  const megabytes = (8 * inner * cols) / MIB;
  test(`${threads} thread${threads > 1 ? 's' : ''} and a B of ${megabytes} MiB keep to the limit and compute every block`, async ({ page, open }) => {
    const stored = new StoredProduct(96, inner, cols);
    const tasks = Array.from({ length: 12 }, (_, block) => stored.task(block, 8 * block, 8));
    const link = await openWatched(page, open, threads);
    stored.serve(link);
    countResults(link);
    for (const task of tasks) link.send({ type: 'task', task });
    for (const { block } of tasks) {
      expectSameBits((await resultOf(link, block)).payload, stored.product(8 * block, 8));
    }
    await expectBelowLimit(page, 'peak');
    expect(link.ofType('give_back')).toEqual([]);
    expect((await page.evaluate(() => (window as any).seen)).largest_thread).toBeGreaterThan(8 * inner * cols);
  });
}

for (const kernel of ['simd', 'javascript']) {
  test(`${kernel}: a small B is with all threads, and crosses the network once`, async ({ page, modules, startNode, open }) => {
    const node = await startNode(kernel === 'simd' ? modules : {});
    const stored = new StoredProduct(64, 1000, 800);
    const tasks = Array.from({ length: 8 }, (_, block) => stored.task(block, 8 * block, 8));
    const link = await openWatched(page, (at) => open(at, node), 4);
    stored.serve(link);
    countResults(link);
    for (const task of tasks) link.send({ type: 'task', task });
    for (const { block } of tasks) {
      expectSameBits((await resultOf(link, block)).payload, stored.product(8 * block, 8));
    }
    const asked = link.ofType('chunk_request').map(({ message }) => message.hash);
    expect(new Set(asked).size).toBe(asked.length);
    expect(await page.evaluate(() => (window as any).seen.threads_max)).toBe(4);
    await expectBelowLimit(page, 'peak');
  });
}

test('products that nobody counts hold up new blocks', async ({ page, open }) => {
  const link = await openWatched(page, open, 2);
  // 1 MiB each, and as much again for the copy that leaves.
  const tasks = Array.from({ length: 40 }, (_, block) => seededTask(block, 128, 8, 1024));
  for (const task of tasks) link.send({ type: 'task', task });
  await resultOf(link, 3);
  // What is begun ends: then nothing moves any more.
  let before = 0;
  await expect
    .poll(async () => {
      const now = link.ofType('result').length;
      const isStill = now === before;
      before = now;
      return isStill;
    }, { intervals: [500] })
    .toBe(true);
  expect(before).toBeLessThanOrEqual(12);
  await expectBelowLimit(page, 'peak');

  countResults(link);
  for (const { message } of link.ofType('result')) {
    link.send({ type: 'counted', job: JOB, block: message.block, counted: true, rows: 1 });
  }
  await link.next('result', 40);
  await expect.poll(async () => (await stateOf(page)).total.blocks).toBe(40);
  await expectBelowLimit(page, 'peak');
});

test('a block that no page has room for is given back with the reason', async ({ page, open }) => {
  const stored = new StoredProduct(181, 5793, 724, (rows, cols) => new Float64Array(rows * cols).fill(0.5));
  const largest: any = stored.task(1, 0, 181);
  const link = await openWatched(page, open, 2);
  link.send({ type: 'task', task: seededTask(0, 8, 8192, 1024) });
  const { message } = await link.next('give_back');
  expect(message.reason).toMatch(/^the block needs \d\d MB, larger than a page may hold$/);
  // The largest that the cut makes fits: B of 32 MiB, A of 8 MiB, C of 1 MiB.
  stored.serve(link);
  link.send({ type: 'task', task: largest });
  const { payload } = await resultOf(link, 1);
  expect(new Float64Array(payload.buffer.slice(0)).every((entry) => entry === 5793 / 4)).toBe(true);
  await expectBelowLimit(page, 'peak');
});

// There is room for two B's of 24 MiB; for two of 32 MiB there never is.
for (const [threads, inner, cols] of [[2, 2048, 1536], [1, 4096, 1024]]) {
  const megabytes = (8 * inner * cols) / MIB;
  test(`two jobs by turns, each with a B of ${megabytes} MiB, both end with ${threads} thread${threads > 1 ? 's' : ''}`, async ({ page, open }) => {
    const jobs = [JOB, OTHER_JOB].map((job, index) => ({ job, stored: new StoredProduct(48, inner, cols - 8 * index) }));
    const tasks = Array.from({ length: 12 }, (_, turn) => {
      const { job, stored } = jobs[turn % 2];
      const block = Math.floor(turn / 2);
      return { stored, task: stored.task(block, 8 * block, 8, job) };
    });
    const all = new StoredProduct(1, 1, 1);
    for (const { stored } of jobs) for (const [hash, bytes] of stored.chunks) all.chunks.set(hash, bytes);
    const link = await openWatched(page, open, threads);
    all.serve(link);
    countResults(link);
    for (const { task } of tasks) link.send({ type: 'task', task });
    for (const { stored, task: { job, block } } of tasks) {
      const { payload } = await link.find(({ message }) => message.type === 'result' && message.job === job && message.block === block, `block ${block} of ${job}`);
      expectSameBits(payload, stored.product(8 * block, 8));
    }
    await expectBelowLimit(page, 'peak');
    // Once for each of them, or for some a second time, but not for every block anew.
    expect(link.ofType('chunk_request').length).toBeLessThan(2 * all.chunks.size);
  });
}

test('a thread that holds much is begun anew when its job ends', async ({ page, open }) => {
  const link = await openWatched(page, open, 1);
  countResults(link);
  link.send({ type: 'task', task: seededTask(0, 8, 4096, 1024) });
  await resultOf(link, 0);
  expect((await stateOf(page)).held_bytes).toBeGreaterThan(32 * MIB);
  link.send({ type: 'drop', job: JOB, block: null });
  await expect.poll(async () => (await stateOf(page)).held_bytes).toBeLessThan(8e6);
  link.send({ type: 'task', task: seededTask(1, 8, 100, 100) });
  await resultOf(link, 1);
});
