import { readFile } from 'node:fs/promises';
import { random } from '../../support/api';
import { comesToLife, expect, test } from '../../support/mesh';

test('the report of a job is one file that shows all of it and asks for nothing', async ({ page, mesh, context }) => {
  const { id } = await mesh.api.submit(random(10, 5, 1), random(5, 10, 2));
  await mesh.api.ended(id);
  await page.goto(`${mesh.first.origin}/jobs/${id}`);
  await comesToLife(page);
  const begun = page.waitForEvent('download');
  await page.getByRole('link', { name: 'Report' }).click();
  const download = await begun;
  expect(download.suggestedFilename()).toBe(`matmesh-${id.slice(0, 8)}.html`);
  const html = await readFile(await download.path(), 'utf8');

  const report = await context.newPage();
  const asked: string[] = [];
  report.on('request', (request) => asked.push(request.url()));
  await report.setContent(html);
  await expect(report.getByRole('heading', { level: 1 })).toContainText(id.slice(0, 8));
  await expect(report.getByText('reproducible, spread over all devices')).toBeVisible();
  await expect(report.locator('svg.block-map path.done').first()).toBeAttached();
  await expect(report.getByRole('img', { name: /devices? over/ })).toBeVisible();
  await expect(report.getByRole('group', { name: 'All entries of C' }).getByRole('row')).toHaveCount(11);
  // Styles came along.
  expect(await report.locator('.panel').first().evaluate((panel) => getComputedStyle(panel).borderRadius)).not.toBe('0px');
  expect(asked).toEqual([]);
});

test('there is no report of a job that nobody knows', async ({ request, mesh }) => {
  const answer = await request.get(`${mesh.first.origin}/jobs/${'0'.repeat(32)}/report`);
  expect(answer.status()).toBe(404);
});
