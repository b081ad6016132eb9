import { random } from '../../support/api';
import { expect, openContributing, test } from '../../support/mesh';

test('the node that serves the page is killed in mid-job; the page goes on at another and shows the result', async ({ page, mesh }) => {
  const worker = await openContributing(page, mesh.secondApi);
  await expect.poll(() => mesh.api.browsers()).toContain(worker);
  // The node that serves the page coordinates the job, too: all of it dies with one plug.
  const { id } = await mesh.secondApi.submit(random(3000, 20_000, 5), random(20_000, 1000, 6));
  await page.goto(`${mesh.second.origin}/jobs/${id}`);
  // The page has come to life: it follows the job by itself.
  const bar = page.getByRole('progressbar', { name: 'Blocks done' });
  const shown = async () => Number(await bar.getAttribute('aria-valuenow'));
  const atFirst = await shown();
  await expect.poll(shown, { message: 'the page follows the job' }).toBeGreaterThan(atFirst);
  await expect.poll(async () => (await mesh.api.job(id)).blocks.done, { message: 'some blocks are done' }).toBeGreaterThan(3);
  const before = await mesh.api.job(id);
  expect(before.status).toBe('running');
  const blocksOf = (job: { contributions: { worker: string; blocks: number }[] }) =>
    job.contributions.find((one) => one.worker === worker)?.blocks ?? 0;
  await mesh.second.kill();

  await expect.poll(async () => (await mesh.api.job(id)).status, { message: 'the job goes on', timeout: 60_000 }).toBe('complete');
  const after = await mesh.api.job(id);
  expect(after.epoch).toBe(2);
  expect(after.accepted_results).toBe(after.blocks.total);
  // The page went on computing, through the other node.
  expect(blocksOf(after)).toBeGreaterThan(blocksOf(before));
  // The page is still the one of the dead node, and shows what the other one has.
  await expect(page.getByText('complete', { exact: false }).first()).toBeVisible();
  const download = page.getByRole('link', { name: 'Download NPY' });
  await expect(download).toBeVisible();
  const href = await download.evaluate((link) => (link as HTMLAnchorElement).href);
  expect(new URL(href).origin).toBe(mesh.first.origin);
  const lone = await mesh.api.submit(random(3000, 20_000, 5), random(20_000, 1000, 6));
  await expect.poll(async () => (await mesh.api.job(lone.id)).status, { timeout: 60_000 }).toBe('complete');
  const [one, other] = [await mesh.api.result(id), await mesh.api.result(lone.id)];
  expect(Buffer.compare(one.bytes, other.bytes)).toBe(0);
});
