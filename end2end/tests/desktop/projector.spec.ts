// What a class sees on the wall: three laptops and two phones compute, the plug of the coordinator is
// pulled, the blocks change hands, and the result is right.

import { devices } from '@playwright/test';
import { Api, random } from '../../support/api';
import { comesToLife, expect, test, workerOf } from '../../support/mesh';
import { startNode } from '../../support/node_process';

test('the coordinator is killed before everybody; its blocks change hands, and the result is right', async ({ browser, page, mesh }) => {
  test.setTimeout(180_000);
  // With more threads than cores its blocks take long enough to be seen with it before it dies: what
  // nobody saw it begin, nobody sees change hands.
  const third = await startNode({ name: 'laptop-3', peers: [mesh.first, mesh.second], options: ['--threads', '6'] });
  const phones = await Promise.all([1, 2].map(() => browser.newContext({ ...devices['Pixel 7'] })));
  try {
    const workers: string[] = [];
    for (const phone of phones) {
      const phonePage = await phone.newPage();
      await phonePage.goto(mesh.first.origin);
      workers.push(await workerOf(phonePage));
    }
    const thirdApi = new Api(third);
    for (const worker of workers) await expect.poll(() => thirdApi.browsers()).toContain(worker);

    const { id } = await thirdApi.submit(random(3000, 20_000, 5), random(20_000, 1500, 6));
    // The projector shows the page of another node than the one that will die.
    await page.goto(`${mesh.first.origin}/jobs/${id}`);
    await comesToLife(page);
    const coordination = page.getByRole('region', { name: 'Coordination' });
    await expect(coordination).toContainText('laptop-3');
    const legend = page.getByRole('region', { name: 'Blocks', exact: true });
    await expect(legend).toContainText('being computed');
    await expect(legend).toContainText(/laptop-3: \d+/);
    const bar = page.getByRole('progressbar', { name: 'Blocks done' });
    const shown = async () => Number(await bar.getAttribute('aria-valuenow'));
    await expect.poll(shown, { message: 'some blocks are done' }).toBeGreaterThan(3);

    // What its device is computing is known to it alone until it has said so: the plug is pulled while
    // the projector shows it.
    const swatch = legend.getByRole('listitem').filter({ hasText: 'laptop-3:' }).locator('.swatch');
    const color = await swatch.evaluate((element) => [...element.classList].find((name) => name.startsWith('device-')));
    await legend.locator(`svg path.running.${color}`).waitFor({ state: 'attached' });
    await third.kill();

    const line = page.getByRole('region', { name: 'Time line' });
    await expect(line).toContainText(/Epoch 2: laptop-[12] \([0-9a-f]{8}\) took over/);
    await expect(coordination).toContainText(/laptop-[12]/);
    // Whatever the dead node was computing is somebody else's now: on the map, and in words.
    await expect(legend).toContainText('given to another device');
    await expect(line).toContainText('given to another device.');
    expect(await line.locator('svg .hand-over').getAttribute('d')).toMatch(/^M\d+ 0v\d+/);
    expect(await legend.locator('svg .moved').first().getAttribute('d')).toMatch(/^M\d+/);

    await expect(page.getByText('complete', { exact: true })).toBeVisible({ timeout: 120_000 });
    const after = await mesh.api.job(id);
    expect(after.epoch).toBe(2);
    expect(after.accepted_results).toBe(after.blocks.total);
    for (const worker of workers) expect(after.contributions.map((one) => one.worker)).toContain(worker);
    // Also of devices that came later than the page.
    await expect(page.getByRole('region', { name: 'Who computed' }).getByRole('row')).toHaveCount(1 + after.contributions.length);
    for (const { name } of after.contributions) await expect(legend).toContainText(name);
    await expect(legend).not.toContainText('–');
    const lone = await mesh.api.submit(random(3000, 20_000, 5), random(20_000, 1500, 6));
    await expect.poll(async () => (await mesh.api.job(lone.id)).status, { timeout: 120_000 }).toBe('complete');
    const [one, other] = [await mesh.api.result(id), await mesh.api.result(lone.id)];
    expect(Buffer.compare(one.bytes, other.bytes)).toBe(0);
  } finally {
    await Promise.all(phones.map((phone) => phone.close()));
    await third.stop();
  }
});
