// 360 px: nothing of a page lies beside the screen.

import { addressOf, PAGES } from '../../support/every_page';
import { Api, random } from '../../support/api';
import { startNode } from '../../support/node_process';
import { comesToLife, expect, openContributing, test, workerOf } from '../../support/mesh';

/** Pixels that the page is wider than the screen. */
const OVERHANG = () => document.documentElement.scrollWidth - document.documentElement.clientWidth;

for (const known of PAGES) {
  test(`${known.path} fits`, async ({ page, mesh }) => {
    await page.goto(await addressOf(known, mesh));
    await expect(page.getByRole('heading', { name: known.heading }).first()).toBeVisible();
    const worker = await workerOf(page);
    await expect.poll(() => mesh.api.browsers()).toContain(worker);
    expect(await page.evaluate(OVERHANG)).toBe(0);
  });
}

for (const path of ['/nowhere', `/jobs/${'0'.repeat(32)}`]) {
  test(`${path} fits`, async ({ page, mesh }) => {
    await page.goto(mesh.first.origin + path);
    await comesToLife(page);
    expect(await page.evaluate(OVERHANG)).toBe(0);
  });
}

test('the largest grids fit', async ({ page, mesh }) => {
  await openContributing(page, mesh.api);
  for (const field of ['Matrix A rows', 'Matrix A columns', 'Matrix B columns']) await page.getByLabel(field).fill('15');
  await expect(page.getByLabel('B row 15 column 15', { exact: true })).toBeAttached();
  expect(await page.evaluate(OVERHANG)).toBe(0);
});

test('a job of a node with a very long name fits', async ({ page }) => {
  const node = await startNode({ name: `laptop-<b>ünïcode</b>-${'a'.repeat(90)}` });
  try {
    const api = new Api(node);
    const { id } = await api.submit(random(60, 60, 1), random(60, 60, 2));
    await api.ended(id);
    await page.goto(`${node.origin}/jobs/${id}`);
    await comesToLife(page);
    expect(await page.evaluate(OVERHANG)).toBe(0);
    const drawing = page.getByRole('region', { name: 'Time line' }).getByRole('img');
    expect((await drawing.boundingBox())!.width).toBeGreaterThan(150);
    await page.setViewportSize({ width: 1100, height: 800 });
    const table = page.getByRole('region', { name: 'Who computed' }).getByRole('table');
    const [inner, outer] = [await table.boundingBox(), await page.getByRole('region', { name: 'Who computed' }).boundingBox()];
    expect(inner!.width).toBeLessThan(outer!.width);
  } finally {
    await node.stop();
  }
});
