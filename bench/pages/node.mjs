// One node, and a browser that opens its pages. What both measurements share.

import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';

const ROOT = path.resolve(import.meta.dirname, '../..');
// The browser's driver is a package of the end-to-end tests.
const { chromium, devices } = createRequire(path.join(ROOT, 'end2end/package.json'))('@playwright/test');
export { devices };

export async function startNode(options = []) {
  const binary = process.env.MATMESH_BINARY ?? path.join(ROOT, 'target/release/matmesh');
  const folder = mkdtempSync(path.join(tmpdir(), 'matmesh-pages-'));
  const args = ['--port', '0', '--bind', '127.0.0.1', '--discovery', 'off', '--data-dir', folder, ...options];
  const child = spawn(binary, args, { stdio: ['ignore', 'pipe', 'ignore'] });
  const origin = await new Promise((resolve, reject) => {
    child.once('exit', () => reject(new Error('the node did not start')));
    child.stdout.setEncoding('utf8').once('data', (text) => resolve(/http:\/\/\S+/.exec(text)[0]));
  });
  const stop = () => new Promise((resolve) => {
    child.once('exit', () => resolve(rmSync(folder, { recursive: true, force: true })));
    child.kill();
  });
  return { origin, stop };
}

export function openBrowser() {
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic'],
  });
}

/** Starts a job of random matrices; its id. */
export async function submit(origin, rows, inner, cols) {
  const random = (rows, cols, seed) => ({ rows, cols, random: { seed } });
  const answer = await fetch(`${origin}/api/v1/jobs`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ a: random(rows, inner, 1), b: random(inner, cols, 2) }),
  });
  return (await answer.json()).id;
}

export function median(numbers) {
  const sorted = [...numbers].sort((one, other) => one - other);
  return sorted[Math.floor(sorted.length / 2)];
}

export function percentile(numbers, share) {
  const sorted = [...numbers].sort((one, other) => one - other);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0;
}
