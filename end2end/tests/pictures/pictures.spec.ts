// Every page in every state, for people to look at: `npm run pictures`.

import path from 'node:path';
import { devices, type Browser, type BrowserContextOptions, type Page } from '@playwright/test';
import { Api, random } from '../../support/api';
import { comesToLife, expect, test, workerOf } from '../../support/mesh';
import { startNode } from '../../support/node_process';

const FOLDER = path.resolve(import.meta.dirname, '../..', process.env.PICTURES ?? 'pictures');

const LOOKS: { look: string; options: BrowserContextOptions }[] = [
  { look: 'desk-light', options: { viewport: { width: 1100, height: 800 }, colorScheme: 'light' } },
  { look: 'phone-dark', options: { viewport: { width: 360, height: 740 }, colorScheme: 'dark' } },
];

/** The page at an address, once in each look, alive. */
async function open(browser: Browser, address: string, more: BrowserContextOptions = {}): Promise<[string, Page][]> {
  const pages: [string, Page][] = [];
  for (const { look, options } of LOOKS) {
    const context = await browser.newContext({ ...options, ...more, reducedMotion: 'reduce' });
    const page = await context.newPage();
    await page.goto(address);
    if (more.javaScriptEnabled !== false) await comesToLife(page);
    pages.push([look, page]);
  }
  return pages;
}

/** References are the same each time: figures that this machine measured are not shown. */
const FIGURES = '.contribution summary .muted, .cost p { visibility: hidden; }';

async function take(pages: [string, Page][], name: string): Promise<void> {
  const style = name.startsWith('changing/') ? undefined : FIGURES;
  for (const [look, page] of pages) await page.screenshot({ path: path.join(FOLDER, `${name}-${look}.png`), fullPage: true, style });
}

async function close(pages: [string, Page][]): Promise<void> {
  for (const [, page] of pages) await page.context().close();
}

test('pages at rest', async ({ browser, mesh }) => {
  test.setTimeout(240_000);
  const at = (address: string) => mesh.first.origin + address;
  const shoot = async (name: string, address: string, more: BrowserContextOptions = {}, act = async (_: Page) => {}) => {
    const pages = await open(browser, at(address), more);
    for (const [, page] of pages) await act(page);
    await take(pages, name);
    await close(pages);
  };
  await shoot('jobs-empty', '/jobs');
  await shoot('new', '/?fill=7');
  await shoot('new-mistakes', '/?fill=7', {}, async (page) => {
    await page.getByLabel('A row 1 column 1', { exact: true }).fill('seven');
    await page.getByLabel('Matrix B columns').fill('0');
    await expect(page.getByText('Matrix B columns is 0')).toBeVisible();
  });
  await shoot('new-no-script', '/?fill=7', { javaScriptEnabled: false });
  const small = await mesh.api.submit(random(5, 4, 1), random(4, 5, 2));
  const large = await mesh.api.submit(random(500, 500, 1), random(500, 500, 2));
  for (const { id } of [small, large]) await mesh.api.ended(id);
  await shoot('changing/job-small', `/jobs/${small.id}`);
  await shoot('changing/job-large', `/jobs/${large.id}`);
  await shoot('changing/job-large-no-script', `/jobs/${large.id}`, { javaScriptEnabled: false });
  await shoot('changing/jobs', '/jobs');
  await shoot('changing/nodes', '/nodes');
  await shoot('changing/nodes-no-script', '/nodes', { javaScriptEnabled: false });
  await shoot('changing/contribution', '/contribution');
  await shoot('not-found', '/nowhere');
  await shoot('job-unknown', `/jobs/${'0'.repeat(32)}`);
});

test('a job that fails', async ({ browser }) => {
  const node = await startNode({ name: 'laptop-1', options: ['--threads', '0', '--result-ttl-s', '10'] });
  try {
    const api = new Api(node);
    const { id } = await api.submit(random(40, 40, 1), random(40, 40, 2));
    await api.ended(id);
    const pages = await open(browser, `${node.origin}/jobs/${id}`);
    await take(pages, 'changing/job-failed');
    await close(pages);
  } finally {
    await node.stop();
  }
});

test('a job that runs on five devices, and whose coordinator is killed', async ({ browser, mesh }) => {
  test.setTimeout(180_000);
  const third = await startNode({ name: 'laptop-3', peers: [mesh.first, mesh.second] });
  const phones = await Promise.all([1, 2].map(() => browser.newContext({ ...devices['Pixel 7'] })));
  try {
    for (const phone of phones) {
      const page = await phone.newPage();
      await page.goto(mesh.first.origin);
      await workerOf(page);
    }
    const { id } = await new Api(third).submit(random(4000, 20_000, 5), random(20_000, 4000, 6));
    const pages = await open(browser, `${mesh.first.origin}/jobs/${id}`);
    const nodes = await open(browser, `${mesh.first.origin}/nodes`);
    const done = async () => (await mesh.api.job(id)).blocks.done;
    await expect.poll(done).toBeGreaterThan(4);
    await take(pages, 'changing/job-running');
    await third.kill();
    for (const [, page] of pages) await expect(page.getByText(/Epoch 2: .* took over/)).toBeVisible();
    const before = await done();
    await expect.poll(done).toBeGreaterThan(before);
    await take(pages, 'changing/job-hand-over');
    for (const [, page] of nodes) await expect(page.getByText('unreachable')).toBeVisible();
    await take(nodes, 'changing/nodes-one-lost');
    for (const [, page] of pages) await expect(page.getByRole('heading', { name: 'Result' })).toBeVisible({ timeout: 120_000 });
    await take(pages, 'changing/job-complete');
    await close([...pages, ...nodes]);
  } finally {
    await Promise.all(phones.map((phone) => phone.close()));
    await third.stop();
  }
});

test('a page whose node is gone', async ({ browser }) => {
  const alone = await startNode({ name: 'laptop-alone' });
  try {
    const pages = await open(browser, `${alone.origin}/nodes`);
    await alone.kill();
    for (const [, page] of pages) await expect(page.getByText(/looking for a node/i).first()).toBeVisible();
    await take(pages, 'changing/page-away');
    await close(pages);
  } finally {
    await alone.stop();
  }
});
