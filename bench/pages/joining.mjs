// From opening a page at a phone's size, with the processor slowed down four times, to the first
// block of it that counts; and the bytes until then and in all, as they cross the network.
//
//   node bench/pages/joining.mjs [runs]

import { devices, median, openBrowser, startNode, submit } from './node.mjs';

const RUNS = Number(process.argv[2] ?? 5);
const SLOW_DOWN = 4;

const node = await startNode(['--threads', '0']);
const browser = await openBrowser();
const runs = [];
for (let run = 0; run < RUNS; run += 1) {
  // Work is there before the page is.
  const job = await submit(node.origin, 2000, 2000, 2000);
  runs.push(await join());
  await fetch(`${node.origin}/api/v1/jobs/${job}`, { method: 'DELETE', headers: { origin: node.origin } });
}
await browser.close();
await node.stop();

for (const [name, unit, of] of [
  ['first block counted after', 'ms', (run) => run.ms],
  ['weight of the scripts and the module that compute, compressed', 'B', (run) => run.weightToCompute],
  ['the same with the document and the heads of the answers', 'B', (run) => run.bytesToCompute],
  ['bytes until the first block counted', 'B', (run) => run.bytesUntil],
  ['bytes in all', 'B', (run) => run.bytesInAll],
]) {
  const figures = runs.map(of);
  console.log(`${name}: median ${Math.round(median(figures))} ${unit}, ${Math.min(...figures)} to ${Math.max(...figures)}`);
}

async function join() {
  const context = await browser.newContext({ ...devices['Pixel 7'] });
  const page = await context.newPage();
  const session = await context.newCDPSession(page);
  await session.send('Network.enable');
  await session.send('Emulation.setCPUThrottlingRate', { rate: SLOW_DOWN });
  const files = new Map();
  let bytes = 0;
  session.on('Network.requestWillBeSent', ({ requestId, request }) => files.set(requestId, new URL(request.url).pathname));
  let bytesToCompute = 0;
  let weightToCompute = 0; // of the scripts and the module alone
  const isToCompute = (requestId) => /^\/$|compute/.test(files.get(requestId) ?? '');
  session.on('Network.dataReceived', ({ requestId, encodedDataLength }) => {
    if (isToCompute(requestId)) weightToCompute += encodedDataLength;
  });
  session.on('Network.loadingFinished', ({ requestId, encodedDataLength }) => {
    bytes += encodedDataLength;
    if (isToCompute(requestId)) bytesToCompute += encodedDataLength;
  });
  const began = performance.now();
  const counted = new Promise((resolve) => {
    page.on('websocket', (socket) => socket.on('framereceived', ({ payload }) => {
      if (typeof payload === 'string') return;
      const envelope = payload.subarray(8, 8 + payload.readUInt32LE(4)).toString();
      if (/"type":"counted".*"counted":true/.test(envelope)) resolve({ ms: performance.now() - began, bytesUntil: bytes });
    }));
  });
  await page.goto(node.origin);
  const { ms, bytesUntil } = await counted;
  await page.waitForLoadState('networkidle').catch(() => undefined);
  await page.locator('input[role="switch"]').first().isEnabled();
  await page.waitForTimeout(1000);
  await context.close();
  return { ms: Math.round(ms), bytesUntil, bytesToCompute, weightToCompute, bytesInAll: bytes };
}
