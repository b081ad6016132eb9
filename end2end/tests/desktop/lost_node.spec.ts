import { random } from '../../support/api';
import { expect, openContributing, test } from '../../support/mesh';

test('a page whose node died computes on through another', async ({ page, mesh }) => {
  const worker = await openContributing(page, mesh.secondApi);
  await expect.poll(() => mesh.api.browsers()).toContain(worker);
  await mesh.second.kill();
  const throughFirst = async () => {
    const self = (await mesh.api.nodes()).find((node) => node.self)!;
    return self.browsers.map((browser) => browser.id);
  };
  await expect.poll(throughFirst, { message: 'the page came to the other node' }).toContain(worker);
  const { id } = await mesh.api.submit(random(100, 100, 1), random(100, 100, 2));
  const job = await mesh.api.ended(id);
  expect(job.status).toBe('complete');
  expect(job.contributions.map((device) => device.worker)).toContain(worker);
});
