// The bridge and its node: settings, cancelled work, lost links, other nodes.

import { expect, expectSameBits, JOB, resultOf, seededTask, stateOf, StoredProduct, test, welcome } from './bridge';

// Long enough to be still waiting behind each other: some 0.1 s each at least. And small enough
// that two threads have room for one each.
const slow = (block: number) => seededTask(block, 500, 2500, 500);

test('a reload is the same device with the same account', async ({ page, node, open }) => {
  const link = await open(page);
  link.send({ type: 'task', task: seededTask(0, 5, 6, 7) });
  await resultOf(link, 0);
  link.send({ type: 'counted', job: JOB, block: 0, counted: true, rows: 5 });
  await expect.poll(async () => (await stateOf(page)).total.rows).toBe(5);
  const before = await stateOf(page);
  await page.reload();
  await welcome(node, 1);
  await expect.poll(async () => (await stateOf(page)).connected).toBe(true);
  const after = await stateOf(page);
  expect(after.worker).toBe(before.worker);
  expect(after.jobs).toEqual(before.jobs);
  expect(after.total).toEqual(before.total);
});

test('only results that count enter the account', async ({ page, open }) => {
  const link = await open(page);
  for (let block = 0; block < 3; block += 1) link.send({ type: 'task', task: seededTask(block, 5, 6, 7) });
  const proofs = [];
  for (let block = 0; block < 3; block += 1) proofs.push((await resultOf(link, block)).message.proof);
  link.send({ type: 'counted', job: JOB, block: 0, counted: true, rows: 5 });
  link.send({ type: 'counted', job: JOB, block: 1, counted: false, rows: 5 });
  link.send({ type: 'counted', job: JOB, block: 2, counted: true, rows: 5 });
  link.send({ type: 'counted', job: JOB, block: 2, counted: true, rows: 5 });
  const figures = { blocks: 2, rows: 10, operations: 2 * 420, compute_ms: proofs[0].compute_ms + proofs[2].compute_ms };
  await expect.poll(async () => (await stateOf(page)).total).toEqual(figures);
  expect((await stateOf(page)).jobs).toEqual({ [JOB]: figures });
});

test('blocks beside each other count their rows once', async ({ page, open }) => {
  const link = await open(page);
  const block = (index: number, rowStart: number, colStart: number) => {
    const task: any = seededTask(index, 5, 6, 7);
    return { ...task, row_start: rowStart, a: { ...task.a, row_start: rowStart }, b: { ...task.b, matrix_cols: 14, col_start: colStart } };
  };
  const blocks = [block(0, 0, 0), block(1, 5, 0), block(2, 0, 7), block(3, 5, 7)];
  for (const task of blocks) link.send({ type: 'task', task });
  for (const { block } of blocks) {
    await resultOf(link, block);
    link.send({ type: 'counted', job: JOB, block, counted: true, rows: 5 });
  }
  await expect.poll(async () => (await stateOf(page)).total.blocks).toBe(4);
  expect((await stateOf(page)).total).toMatchObject({ rows: 10, operations: 4 * 420 });
});

test('rows of equal content are rows all the same, and counted once after a reload', async ({ page, node, open }) => {
  const link = await open(page);
  const stored = new StoredProduct(6, 4, 5, (rows, cols) => new Float64Array(rows * cols).fill(1));
  const tasks = [stored.task(0, 0, 3), stored.task(1, 3, 3)];
  expect(tasks[0].a).toEqual(tasks[1].a);
  const compute = async (on: typeof link, task: any) => {
    stored.serve(on);
    on.send({ type: 'task', task });
    await resultOf(on, task.block);
    on.send({ type: 'counted', job: JOB, block: task.block, counted: true, rows: 3 });
  };
  for (const task of tasks) await compute(link, task);
  await expect.poll(async () => (await stateOf(page)).total).toMatchObject({ blocks: 2, rows: 6 });
  await page.reload();
  const again = await welcome(node, 1);
  await compute(again, { ...tasks[1], block: 2 });
  await expect.poll(async () => (await stateOf(page)).total).toMatchObject({ blocks: 3, rows: 6 });
});

test('the account tells its changes at most five times a second', async ({ page, open }) => {
  const link = await open(page);
  await page.evaluate(() => {
    (window as any).heard = [];
    window.addEventListener('matmesh:state', (event) => {
      (window as any).heard.push({ at: performance.now(), state: JSON.parse((event as CustomEvent).detail) });
    });
  });
  for (let block = 0; block < 40; block += 1) {
    link.send({ type: 'task', task: seededTask(block, 5, 6, 7) });
    await resultOf(link, block);
    link.send({ type: 'counted', job: JOB, block, counted: true, rows: 5 });
  }
  await expect.poll(() => page.evaluate(() => (window as any).heard.at(-1)?.state.total.blocks)).toBe(40);
  const times: number[] = await page.evaluate(() => (window as any).heard.map((event: any) => event.at));
  for (let index = 1; index < times.length; index += 1) expect(times[index] - times[index - 1]).toBeGreaterThan(190);
});

test('no more than fifty jobs stay in the account', async ({ page, open }) => {
  const link = await open(page);
  const jobs = Array.from({ length: 55 }, (_, index) => index.toString(16).padStart(32, '0'));
  for (const job of jobs) {
    link.send({ type: 'task', task: seededTask(0, 2, 2, 2, '7', job) });
    await link.find(({ message }) => message.type === 'result' && message.job === job, `the result of ${job}`);
    link.send({ type: 'counted', job, block: 0, counted: true, rows: 2 });
  }
  await expect.poll(async () => (await stateOf(page)).total.blocks).toBe(55);
  expect(Object.keys((await stateOf(page)).jobs)).toEqual(jobs.slice(5));
});

test('a dropped block is not computed and a dropped job is forgotten', async ({ page, open }) => {
  const link = await open(page);
  const other = 'ef'.repeat(16);
  for (let block = 0; block < 4; block += 1) link.send({ type: 'task', task: slow(block) });
  link.send({ type: 'drop', job: JOB, block: 2 });
  link.send({ type: 'task', task: seededTask(9, 5, 6, 7, '7', other) });
  await resultOf(link, 9);
  expect(link.ofType('result').map(({ message }) => message.block).sort()).toEqual([0, 1, 3, 9]);

  for (let block = 10; block < 14; block += 1) link.send({ type: 'task', task: slow(block) });
  link.send({ type: 'drop', job: JOB, block: null });
  link.send({ type: 'task', task: seededTask(10, 5, 6, 7, '7', other) });
  await resultOf(link, 10);
  expect(link.ofType('result').filter(({ message }) => message.job === JOB && message.block >= 10)).toEqual([]);
  expect(link.ofType('give_back')).toEqual([]);
});

test('switched off, the device says so and gives back what it has not begun', async ({ page, open }) => {
  const link = await open(page);
  await page.waitForFunction(() => (window as any).matmesh.state.mflops > 0);
  for (let block = 0; block < 6; block += 1) link.send({ type: 'task', task: slow(block) });
  await resultOf(link, 0);
  await page.evaluate(() => (window as any).matmesh.setContributing(false));
  await expect.poll(() => link.received.findLast(({ message }) => message.status)!.message.status.contributing).toBe(false);
  const blocksOf = (type: string) => link.ofType(type).map(({ message }) => message.block);
  await expect.poll(() => [...blocksOf('result'), ...blocksOf('give_back')].sort()).toEqual([0, 1, 2, 3, 4, 5]);
  expect(blocksOf('give_back').length).toBeGreaterThan(2);

  link.send({ type: 'task', task: slow(7) });
  await expect.poll(() => blocksOf('give_back')).toContain(7);
});

test('the switch and the number of threads outlive the visit', async ({ page, node, open }) => {
  await open(page);
  await page.evaluate(() => {
    (window as any).matmesh.setContributing(false);
    (window as any).matmesh.setThreads(2);
  });
  await page.reload();
  const link = await welcome(node, 1);
  expect(link.received[0].message.status).toMatchObject({ contributing: false, threads: 2 });
});

test('the number of threads stays within what the device has', async ({ page, open }) => {
  const link = await open(page);
  await page.evaluate(() => (window as any).matmesh.setThreads(1000));
  const { threads, threads_max } = await stateOf(page);
  expect(threads).toBe(threads_max);
  await page.evaluate(() => (window as any).matmesh.setThreads(0));
  expect((await stateOf(page)).threads).toBe(1);
  link.send({ type: 'task', task: seededTask(0, 5, 6, 7) });
  await resultOf(link, 0);
});

test('a result that was not counted is offered again after the link broke', async ({ page, node, open }) => {
  const link = await open(page);
  link.send({ type: 'task', task: seededTask(0, 5, 6, 7) });
  link.send({ type: 'task', task: seededTask(1, 5, 6, 7) });
  const first = await resultOf(link, 0);
  await resultOf(link, 1);
  link.send({ type: 'counted', job: JOB, block: 1, counted: true, rows: 5 });
  await expect.poll(async () => (await stateOf(page)).total.blocks).toBe(1);
  link.close();
  const again = await welcome(node, 1);
  const offered = await resultOf(again, 0);
  expect(offered.message).toEqual(first.message);
  expectSameBits(offered.payload, first.payload);
  expect(again.received[0].message.worker).toBe(link.received[0].message.worker);

  // Sent once more as a task, it is answered from what is kept.
  again.send({ type: 'task', task: seededTask(0, 5, 6, 7) });
  expect((await again.next('result', 2)).message).toEqual(first.message);
  expect(again.ofType('result').map(({ message }) => message.block)).toEqual([0, 0]);
});

test('a broken link loses no block: chunks are asked for again', async ({ page, node, open }) => {
  const link = await open(page);
  const stored = new StoredProduct(4, 5, 6);
  link.send({ type: 'task', task: stored.task(0, 0, 4) });
  await link.next('chunk_request', 3);
  link.close();
  const again = await welcome(node, 1);
  stored.serve(again);
  expectSameBits((await resultOf(again, 0)).payload, stored.product(0, 4));
});

test('a page whose node died comes back at another within its leases', async ({ page, node, startNode, open }) => {
  const refuge = await startNode();
  const link = await open(page);
  link.send({ type: 'nodes', nodes: ['http://127.0.0.1:1', 'not an address', refuge.origin] });
  link.send({ type: 'task', task: seededTask(0, 5, 6, 7) });
  await resultOf(link, 0);
  const died = Date.now();
  await node.stop();
  const moved = await welcome(refuge, 0);
  expect(Date.now() - died).toBeLessThan(2_000);
  expect((await resultOf(moved, 0)).message.block).toBe(0);
  moved.send({ type: 'task', task: seededTask(1, 5, 6, 7) });
  await resultOf(moved, 1);
});

for (const missing of ['kernel-worker.js', 'simd.wasm']) {
  test(`a page whose node died before ${missing} came has it from another`, async ({ page, node, startNode, open }) => {
    node.heldBack.add(missing);
    const refuge = await startNode();
    const link = await open(page);
    link.send({ type: 'nodes', nodes: [refuge.origin] });
    await expect.poll(() => stateOf(page)).toMatchObject({ connected: true });
    await node.stop();
    const moved = await welcome(refuge, 0);
    moved.send({ type: 'task', task: seededTask(0, 5, 6, 7) });
    await resultOf(moved, 0);
    expect((await stateOf(page)).kernel).toBe('simd');
  });
}

test('more threads can be chosen after the page\'s own node died', async ({ page, node, startNode, open }) => {
  const broken: string[] = [];
  page.on('console', (message) => message.text().includes('a thread broke') && broken.push(message.text()));
  const refuge = await startNode();
  const link = await open(page);
  link.send({ type: 'nodes', nodes: [refuge.origin] });
  link.send({ type: 'task', task: seededTask(0, 5, 6, 7) });
  await resultOf(link, 0);
  await node.stop();
  const moved = await welcome(refuge, 0);
  const threads = (await stateOf(page)).threads_max;
  await page.evaluate((wish) => (window as any).matmesh.setThreads(wish), threads);
  for (let block = 1; block <= 2 * threads; block += 1) moved.send({ type: 'task', task: slow(block) });
  for (let block = 1; block <= 2 * threads; block += 1) await resultOf(moved, block);
  expect(broken).toEqual([]);
});

test('a page alone comes back when its node does', async ({ page, node, startNode, open }) => {
  await open(page);
  const { port } = node;
  await node.stop();
  await expect.poll(async () => (await stateOf(page)).connected).toBe(false);
  const { MockNode } = await import('../../support/mock_node');
  const reborn = await MockNode.start({}, port);
  try {
    await welcome(reborn, 0);
    await expect.poll(async () => (await stateOf(page)).connected).toBe(true);
  } finally {
    await reborn.stop();
  }
});

test('superseded, the older tab draws a new id and begins a new account', async ({ page, node, open }) => {
  const link = await open(page);
  link.send({ type: 'task', task: seededTask(0, 5, 6, 7) });
  await resultOf(link, 0);
  link.send({ type: 'counted', job: JOB, block: 0, counted: true, rows: 5 });
  await expect.poll(async () => (await stateOf(page)).total.blocks).toBe(1);
  link.send({ type: 'superseded' });
  const again = await welcome(node, 1);
  expect(again.received[0].message.worker).not.toBe(link.received[0].message.worker);
  expect((await stateOf(page)).worker).toBe(again.received[0].message.worker);
  await expect.poll(async () => (await stateOf(page)).total.blocks).toBe(0);
  expect(node.links.length).toBe(2);
});

test('an id that a link carries is taken, once', async ({ page, node }) => {
  const device = '0123456789abcdef'.repeat(2);
  await page.goto(node.origin);
  await welcome(node, 0);
  await page.goto(`${node.origin}/?device=${device}`);
  const link = await welcome(node, 1);
  expect(link.received[0].message.worker).toBe(device);
  link.send({ type: 'superseded' });
  const redrawn = (await welcome(node, 2)).received[0].message.worker;
  expect(redrawn).not.toBe(device);
  await page.reload();
  expect((await welcome(node, 3)).received[0].message.worker).toBe(redrawn);
});

test('whatever a node sends, the page goes on', async ({ page, open }) => {
  const complaints: string[] = [];
  page.on('pageerror', (error) => complaints.push(String(error)));
  const link = await open(page);
  const garbage = [
    { type: 'unheard_of' },
    { type: '__proto__' },
    { type: 'task' },
    { type: 'task', task: { job: 7, block: -1 } },
    { type: 'task', task: { job: JOB, block: 5 } },
    { type: 'drop' },
    { type: 'chunk', hash: 'x' },
    { type: 'chunk_missing' },
    { type: 'counted' },
    { type: 'nodes', nodes: 12 },
    { type: 'nodes', nodes: [null, {}, 'javascript:alert(1)'] },
  ];
  for (const message of garbage) link.send(message);
  link.sendRaw(new Uint8Array(3));
  link.sendRaw(Uint8Array.from([1, 0, 0, 0, 255, 255, 255, 255, 1]));
  link.sendRaw(Uint8Array.from([2, 0, 0, 0, 0, 0, 0, 0]));
  link.sendRaw(Uint8Array.from([1, 0, 0, 0, 4, 0, 0, 0, 110, 117, 108, 108]));
  link.send({ type: 'task', task: seededTask(0, 5, 6, 7) });
  await resultOf(link, 0);
  expect(complaints).toEqual([]);
  expect(link.isOpen).toBe(true);
});

test('blocks beyond the queue are given back', async ({ page, open }) => {
  const link = await open(page);
  for (let block = 0; block < 100; block += 1) link.send({ type: 'task', task: slow(block) });
  await link.next('give_back');
  expect(link.ofType('give_back')[0].message.reason).toBe('the queue is full');
});
