import { Api, random } from '../../support/api';
import { expect, openContributing, test } from '../../support/mesh';

/** Pages that compute through this very node. */
async function ownBrowsers(api: Api): Promise<string[]> {
  const self = (await api.nodes()).find((node) => node.self)!;
  return self.browsers.map((browser) => browser.id);
}

async function workersOfNewJob(api: Api): Promise<string[]> {
  const { id } = await api.submit(random(100, 100, 1), random(100, 100, 2));
  const job = await api.ended(id);
  expect(job.status).toBe('complete');
  return job.contributions.map((device) => device.worker);
}

test('a page whose node died computes on through another', async ({ page, mesh }) => {
  const worker = await openContributing(page, mesh.secondApi);
  await expect.poll(() => mesh.api.browsers()).toContain(worker);
  await mesh.second.kill();
  await expect.poll(() => ownBrowsers(mesh.api), { message: 'the page came to the other node' }).toContain(worker);
  expect(await workersOfNewJob(mesh.api)).toContain(worker);
});

test('a page whose node died long ago still moves on when the next one dies', async ({ page, mesh }) => {
  const third = new Api(await mesh.add({ name: 'laptop-3' }));
  const alive = async () => (await third.nodes()).filter((node) => node.status === 'alive').length;
  await expect.poll(alive).toBe(3);
  const worker = await openContributing(page, mesh.secondApi);
  await mesh.second.kill();
  // Whichever of the two it came to first: that one dies too.
  const apis = [mesh.api, third];
  const places = () => Promise.all(apis.map(async (api) => (await ownBrowsers(api)).includes(worker)));
  await expect.poll(places).toContain(true);
  await expect.poll(alive, { message: 'the first loss is known' }).toBe(2);
  const [next, last] = (await places())[0] ? apis : [...apis].reverse();
  await next.node.kill();
  await expect.poll(() => ownBrowsers(last), { message: 'the page came to the last node' }).toContain(worker);
  await expect.poll(() => workersOfNewJob(last), { message: 'the page computes there' }).toContain(worker);
});
