// How much script runs in a frame while a page shows 200 devices and 5,000 blocks that change ten
// times a second, by the browser's own tracing.
//
// The page is a real one of a real node; its news are made up here, between the node and the page, and
// have the form and the pace of real ones.
//
//   node bench/pages/fluid.mjs [seconds]

import { openBrowser, percentile, startNode, submit } from './node.mjs';

const SECONDS = Number(process.argv[2] ?? 10);
const DEVICES = 200;
/** The others come in the first moments. */
const DEVICES_AT_FIRST = 20;
const BLOCKS = 5000;
const NEWS_MS = 100;

const id = (kind, number) => kind.repeat(8) + number.toString(16).padStart(24, '0');
const devices = Array.from({ length: DEVICES }, (_, number) => ({ worker: id('d', number), kind: 'browser', name: `phone ${number}` }));

/** The protocol's version, as the node's own frames say. */
let protocol;

const node = await startNode(['--threads', '1']);
const job = await submit(node.origin, 4, 4, 4);
const browser = await openBrowser();
try {
  await measureAll();
} finally {
  await browser.close();
  await node.stop();
}

async function measureAll() {
  for (const path of [`/jobs/${job}`, '/nodes']) {
    const { script, task, frames } = await measure(path);
    console.log(
      `${path.replace(job, 'ID')}: script per frame p50 ${percentile(script, 0.5).toFixed(1)} ms, p95 ${percentile(script, 0.95).toFixed(1)} ms, most ${Math.max(...script).toFixed(1)} ms; ` +
        `all of the main thread p95 ${percentile(task, 0.95).toFixed(1)} ms; ${frames} frames in ${SECONDS} s`,
    );
  }
}

async function measure(path) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
  const page = await context.newPage();
  let send = null;
  await page.routeWebSocket('**/ws/worker', (socket) => {
    const server = socket.connectToServer();
    server.onMessage((message) => {
      const { envelope } = read(message);
      if (!envelope.includes('"type":"news"')) return socket.send(message);
      if (!send) {
        send = (news) => socket.send(frame({ type: 'news' }, news));
        send(whole(path));
      }
    });
  });
  await page.goto(node.origin + path);
  while (!send) await page.waitForTimeout(50);
  await page.waitForTimeout(1000);

  const session = await browser.newBrowserCDPSession();
  const events = [];
  session.on('Tracing.dataCollected', ({ value }) => events.push(...value));
  const done = new Promise((resolve) => session.once('Tracing.tracingComplete', resolve));
  await session.send('Tracing.start', { transferMode: 'ReportEvents', traceConfig: { includedCategories: ['devtools.timeline', 'disabled-by-default-devtools.timeline', 'disabled-by-default-devtools.timeline.frame', 'devtools.timeline.frame', 'toplevel'] } });
  const rounds = (SECONDS * 1000) / NEWS_MS;
  const doneAfter = (round) => Math.round((BLOCKS * round) / rounds);
  for (let round = 0; round < rounds; round += 1) {
    send(changes(path, doneAfter(round), doneAfter(round + 1)));
    await page.waitForTimeout(NEWS_MS);
  }
  await session.send('Tracing.end');
  await done;
  // What a page does not show costs nothing.
  if (path === '/nodes') await page.getByText(browserView(0, BLOCKS).mflops.toFixed(1)).first().waitFor({ timeout: 5000 });
  else await page.waitForFunction(shows, BLOCKS, { timeout: 5000 });
  if (process.env.KEEP_PICTURE) await page.screenshot({ path: process.env.KEEP_PICTURE, fullPage: true });
  await context.close();
  return inFrames(events);
}

/** Whether the map shows so many blocks as done. */
function shows(blocks) {
  const paths = [...document.querySelectorAll('.block-map path.done')];
  return blocks === paths.reduce((sum, path) => sum + path.getAttribute('d').split('M').length - 1, 0);
}

/** Milliseconds of script, and of everything, of the page's main thread in each of its frames. */
function inFrames(events) {
  const main = events.filter(({ name, args }) => name === 'FunctionCall' && String(args?.data?.url ?? '').includes('/pkg/'));
  const counts = new Map();
  for (const { pid, tid } of main) counts.set(`${pid}:${tid}`, (counts.get(`${pid}:${tid}`) ?? 0) + 1);
  const [thread] = [...counts].sort((one, other) => other[1] - one[1])[0] ?? [];
  const own = events.filter((event) => `${event.pid}:${event.tid}` === thread);
  const begins = own.filter(({ name }) => name === 'BeginMainThreadFrame').map(({ ts }) => ts).sort((one, other) => one - other);
  const sum = (names) => {
    const spans = own.filter(({ name, ph, dur }) => names.includes(name) && ph === 'X' && dur).sort((one, other) => one.ts - other.ts);
    const frames = new Map();
    let coveredUntil = 0; // spans within spans count once
    for (const { ts, dur } of spans) {
      const from = Math.max(ts, coveredUntil);
      if (ts + dur <= coveredUntil) continue;
      coveredUntil = ts + dur;
      let frame = begins.findIndex((begin) => begin > ts);
      if (frame < 0) frame = begins.length;
      frames.set(frame, (frames.get(frame) ?? 0) + (ts + dur - from) / 1000);
    }
    return [...frames.values()];
  };
  return { script: sum(['FunctionCall', 'EvaluateScript', 'TimerFire', 'FireAnimationFrame', 'RunMicrotasks']), task: sum(['RunTask', 'ThreadControllerImpl::RunTask']), frames: begins.length };
}

function whole(path) {
  return { path, is_whole: true, nodes: [nodeView()], browsers: devices.slice(0, DEVICES_AT_FIRST).map((_, number) => [id('a', 1), browserView(number, 0)]), jobs_known: 1, job: jobView(0, []), course: courseOf(0, null) };
}

/** What is new after the blocks from `before` to `done` came in. */
function changes(path, before, done) {
  const touched = new Set(Array.from({ length: done - before }, (_, index) => (before + index) % DEVICES));
  const browsers = [...touched].map((number) => [id('a', 1), browserView(number, done)]);
  if (path === '/nodes') return { path, browsers };
  return { path, job: jobView(done, touched), course: courseOf(done, before) };
}

/** Microseconds since the submission. */
function ageOf(done) {
  return 10_000 + done * 2000;
}

/** All blocks of a job of which `done` are done, the next ones on their way, up to two a device. */
function blocksAt(done) {
  const at = ageOf(done);
  const row = (block, isDone) => [block, block % DEVICES, at - 1500, 200, 100, 900, isDone ? at : null, 1, false, block % 97 === 0 ? (block + 1) % DEVICES : null];
  return Array.from({ length: Math.min(BLOCKS, done + Math.min(2 * DEVICES, DEVICES_AT_FIRST + done)) }, (_, block) => row(block, block < done));
}

/** A node tells of blocks that are new or changed, and names the devices that those speak of. */
function courseOf(done, before) {
  const [now, then] = [blocksAt(done), before === null ? [] : blocksAt(before)];
  const news = now.filter((block, at) => at >= then.length || (block[6] === null) !== (then[at][6] === null));
  const named = [...new Set(news.flatMap((block) => [block[1], block[9]]).filter((device) => device !== null))];
  const place = new Map(named.map((device, at) => [device, at]));
  const blocks = news.map((block) => block.with(1, place.get(block[1])).with(9, place.get(block[9]) ?? null));
  return { rows: BLOCKS, cols: 5000, rows_per_block: 50, cols_per_block: 100, age_us: ageOf(done), epochs: [{ number: 1, coordinator: id('a', 1), begun_us: 0 }], devices: named.map((device) => devices[device]), blocks };
}

function nodeView() {
  return { id: id('a', 1), name: 'laptop', address: '127.0.0.1:1', status: 'alive', self: true, cores: 8, mflops: 5e4, operations: 1e12, device: 'processor', browsers: [] };
}

function browserView(number, done) {
  return { id: id('d', number), device: 'Chromium 140, Android', threads: 7, mflops: 4000 + done, operations: 1e9 * (done + number), visible: true, contributing: true };
}

function jobView(done, touched) {
  const contributions = [...touched].map((number) => ({ worker: id('d', number), kind: 'browser', name: `phone ${number}`, device: 'Chromium 140, Android', blocks: Math.floor(done / DEVICES), rows: done, operations: 1e7 * done, compute_ms: done * 1.5, mflops: 4000.5, verified_blocks: 0 }));
  return {
    id: job, status: 'running', rows: BLOCKS, inner: 5000, cols: 5000, options: { arithmetic: 'reproducible', spread: 'all' },
    coordinator: id('a', 1), epoch: 1, backups: [], blocks: { total: BLOCKS, pending: BLOCKS - done, assigned: 0, done }, accepted_results: done,
    computed_results: done, rejected_results: 0, reassigned_blocks: 0, submitted_at: '2026-01-01T00:00:00Z', completed_at: null, elapsed_ms: done * 2, expires_at: null, contributions, error: null,
  };
}

function read(message) {
  const bytes = Buffer.from(message);
  protocol = bytes.readUInt32LE(0);
  return { envelope: bytes.subarray(8, 8 + bytes.readUInt32LE(4)).toString() };
}

function frame(envelope, payload) {
  const [head, body] = [Buffer.from(JSON.stringify(envelope)), Buffer.from(JSON.stringify(payload))];
  const prefix = Buffer.alloc(8);
  prefix.writeUInt32LE(protocol, 0);
  prefix.writeUInt32LE(head.length, 4);
  return Buffer.concat([prefix, head, body]);
}
