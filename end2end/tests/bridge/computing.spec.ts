// The bridge computes what it is told to, with each of its kernels, bit by bit.

import type { Page } from '@playwright/test';
import { bytesOf, textbookProduct } from '../../support/matrix';
import { PROTOCOL_VERSION } from '../../support/mock_node';
import { blake3, seededMatrix } from '../../support/plain_scripts';
import { expect, expectSameBits, resultOf, seededTask, stateOf, StoredProduct, test, type Bench } from './bridge';

const KERNELS = ['simd', 'scalar', 'javascript'] as const;
type Kernel = (typeof KERNELS)[number];

/** A page that can only use this kernel, because its node has no better module. */
async function openWith(kernel: Kernel, page: Page, { modules, startNode, open }: Pick<Bench, 'modules' | 'startNode' | 'open'>) {
  const served = { ...modules };
  if (kernel !== 'simd') delete served['simd.wasm'];
  if (kernel === 'javascript') delete served['scalar.wasm'];
  return open(page, await startNode(served));
}

for (const kernel of KERNELS) {
  test(`${kernel}: a product of stored matrices has the bits of the textbook loop`, async ({ page, modules, startNode, open }) => {
    const link = await openWith(kernel, page, { modules, startNode, open });
    const stored = new StoredProduct(23, 61, 37);
    stored.serve(link);
    for (const [block, start, count] of [[0, 0, 10], [1, 10, 10], [2, 20, 3]]) {
      link.send({ type: 'task', task: stored.task(block, start, count) });
    }
    for (const [block, start, count] of [[0, 0, 10], [1, 10, 10], [2, 20, 3]]) {
      expectSameBits((await resultOf(link, block)).payload, stored.product(start, count));
    }
    expect((await stateOf(page)).kernel).toBe(kernel);
  });

  test(`${kernel}: a product of seeded matrices is numpys`, async ({ page, modules, startNode, open }) => {
    const link = await openWith(kernel, page, { modules, startNode, open });
    const task = seededTask(3, 9, 30, 17);
    link.send({ type: 'task', task });
    const { payload } = await resultOf(link, 3);
    const a = seededMatrix((task as any).a, 9, 30);
    const b = seededMatrix((task as any).b, 30, 17);
    expectSameBits(payload, bytesOf(textbookProduct(a, b, 9, 30, 17)));
  });

  test(`${kernel}: a nan that arises from overflow is the canonical one`, async ({ page, modules, startNode, open }) => {
    const link = await openWith(kernel, page, { modules, startNode, open });
    const huge = (rows: number, cols: number) => Float64Array.from({ length: rows * cols }, (_, i) => (i % 3 === 1 ? -1e200 : 1e200));
    const stored = new StoredProduct(2, 3, 3, huge);
    stored.serve(link);
    link.send({ type: 'task', task: stored.task(0, 0, 2) });
    const { payload } = await resultOf(link, 0);
    const entries = new Float64Array(payload.buffer.slice(0));
    const words = new BigUint64Array(payload.buffer.slice(0));
    const nans = [...words].filter((_, index) => Number.isNaN(entries[index]));
    expect(nans.length).toBeGreaterThan(0);
    expect(new Set(nans)).toEqual(new Set([0x7ff8_0000_0000_0000n]));
  });
}

test('the proof tells operations, bytes and milliseconds', async ({ page, open }) => {
  const link = await open(page);
  link.send({ type: 'task', task: seededTask(0, 50, 200, 100) });
  const { message } = await resultOf(link, 0);
  expect(message.proof).toEqual({
    operations: 2 * 50 * 200 * 100,
    bytes: 8 * 50 * 100,
    compute_ms: expect.any(Number),
    receive_us: expect.any(Number),
    wait_us: expect.any(Number),
  });
  for (const micros of [message.proof.receive_us, message.proof.wait_us]) {
    expect(Number.isSafeInteger(micros) && micros >= 0).toBe(true);
  }
  expect(message.proof.compute_ms).toBeGreaterThanOrEqual(0);
  expect(message.proof.compute_ms).toBeLessThan(5_000);
});

test('each chunk crosses the network once, whatever needs it', async ({ page, open }) => {
  const link = await open(page);
  await page.evaluate(() => (window as any).matmesh.setThreads(2));
  const stored = new StoredProduct(40, 50, 60);
  for (let block = 0; block < 8; block += 1) link.send({ type: 'task', task: stored.task(block, 5 * block, 5) });
  stored.serve(link);
  for (let block = 0; block < 8; block += 1) {
    expectSameBits((await resultOf(link, block)).payload, stored.product(5 * block, 5));
  }
  const asked = link.ofType('chunk_request').map(({ message }) => message.hash);
  expect(new Set(asked).size).toBe(asked.length);
  expect(asked.length).toBe(8 + 2);
});

test('many different right factors in turn do not confuse a thread', async ({ page, open }) => {
  const link = await open(page);
  const order = [1, 2, 3, 4, 5, 1, 2, 6, 1, 5, 4];
  for (const [block, seed] of order.entries()) link.send({ type: 'task', task: seededTask(block, 4, 20, 12, String(seed)) });
  const stored = Array.from({ length: 5 }, (_, index) => new StoredProduct(4, 10 + index, 11));
  const chunks = new StoredProduct(1, 1, 1);
  for (const product of stored) product.task(0, 0, 4);
  for (const product of stored) for (const [hash, bytes] of product.chunks) chunks.chunks.set(hash, bytes);
  chunks.serve(link);
  for (let turn = 0; turn < 15; turn += 1) link.send({ type: 'task', task: stored[turn % 5].task(100 + turn, 0, 4) });
  for (const [block, seed] of order.entries()) {
    const task: any = seededTask(block, 4, 20, 12, String(seed));
    const want = textbookProduct(seededMatrix(task.a, 4, 20), seededMatrix(task.b, 20, 12), 4, 20, 12);
    expectSameBits((await resultOf(link, block)).payload, bytesOf(want));
  }
  for (let turn = 0; turn < 15; turn += 1) {
    expectSameBits((await resultOf(link, 100 + turn)).payload, stored[turn % 5].product(0, 4));
  }
});

test('a damaged chunk is not computed with', async ({ page, open }) => {
  const link = await open(page);
  const stored = new StoredProduct(3, 4, 5);
  const task: any = stored.task(0, 0, 3);
  const damaged = task.b.chunks[0].hash;
  const whole = stored.chunks.get(damaged)!;
  stored.chunks.set(damaged, whole.map((byte, index) => (index === 7 ? byte ^ 1 : byte)));
  stored.serve(link);
  link.send({ type: 'task', task });
  const { message } = await link.next('give_back');
  expect(message.reason).toContain('damaged');

  // Asked for again, and whole this time, it serves.
  stored.chunks.set(damaged, whole);
  link.send({ type: 'task', task });
  expectSameBits((await resultOf(link, 0)).payload, stored.product(0, 3));
});

test('a chunk of another length is not computed with', async ({ page, open }) => {
  const link = await open(page);
  const stored = new StoredProduct(3, 4, 5);
  const task: any = stored.task(0, 0, 3);
  const { hash } = task.a.chunks[0];
  stored.chunks.set(hash, stored.chunks.get(hash)!.subarray(8));
  stored.serve(link);
  link.send({ type: 'task', task });
  expect((await link.next('give_back')).message.reason).toContain('length');
});

test('a block whose chunk nobody has is given back', async ({ page, open }) => {
  const link = await open(page);
  const stored = new StoredProduct(3, 4, 5);
  link.send({ type: 'task', task: stored.task(0, 0, 3) });
  const { message } = await link.next('chunk_request');
  link.send({ type: 'chunk_missing', hash: message.hash });
  expect((await link.next('give_back')).message).toMatchObject({ block: 0, reason: 'no holder of a chunk answers' });
});

test('a block that no page can hold is given back', async ({ page, open }) => {
  const link = await open(page);
  const impossible: [any, string][] = [
    [{ rows: 2000, inner: 10, cols: 2000 }, 'longer than a frame'],
    [seededTask(1, 1, 20_000, 20_000), 'larger than a page may hold'],
    [{ rows: 0 }, 'not a positive number'],
    [{ a: { source: 'dreams' } }, 'not known here'],
    [{ b: { source: 'random', seed: '7', matrix_cols: 12, row_start: 0, col_start: 1 } }, 'no such columns'],
    [{ b: { source: 'chunks', chunks: [{ hash: blake3(new Uint8Array(8)), rows: 3 }] } }, 'hold 3 rows, not 20'],
  ];
  for (const [index, [changes]] of impossible.entries()) {
    link.send({ type: 'task', task: { ...(seededTask(index, 4, 20, 12) as any), ...changes } });
  }
  for (const [index, [, reason]] of impossible.entries()) {
    const { message } = await link.next('give_back', index + 1);
    expect(message.reason).toContain(reason);
  }
});

test('the page stays quick while it computes', async ({ page, open }) => {
  const link = await open(page);
  for (let block = 0; block < 2; block += 1) link.send({ type: 'task', task: seededTask(block, 400, 4000, 1000) });
  const longestGapMs = await page.evaluate(async () => {
    let longest = 0;
    for (let turn = 0, before = performance.now(); turn < 60; turn += 1) {
      await new Promise((resolve) => setTimeout(resolve, 10));
      longest = Math.max(longest, performance.now() - before);
      before = performance.now();
    }
    return longest;
  });
  expect(longestGapMs).toBeLessThan(500);
  await resultOf(link, 1);
});

test('a second inclusion of the script changes nothing', async ({ page, node, open }) => {
  await open(page);
  await page.addScriptTag({ url: '/compute-worker.js' });
  await welcomeNothing(page, node.links.length, () => node.links.length);
});

async function welcomeNothing(page: Page, before: number, now: () => number): Promise<void> {
  await page.waitForFunction(() => (window as any).matmesh.state.mflops > 0);
  expect(now()).toBe(before);
}

test('the speed is measured and told', async ({ page, node, open }) => {
  const link = await open(page);
  const first = link.received[0].message;
  expect(first).toMatchObject({ type: 'hello', protocol: PROTOCOL_VERSION });
  expect(first.worker).toMatch(/^[0-9a-f]{32}$/);
  expect(first.status).toEqual({
    device: expect.stringMatching(/^Chromium \d+, Linux$/),
    threads: expect.any(Number),
    mflops: expect.any(Number),
    visible: true,
    contributing: true,
  });
  await expect.poll(() => link.received.findLast(({ message }) => message.status)!.message.status.mflops).toBeGreaterThan(10);
  expect(node.links.length).toBe(1);
});
