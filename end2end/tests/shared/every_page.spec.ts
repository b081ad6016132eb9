// What holds of every page.

import { addressOf, PAGES } from '../../support/every_page';
import { comesToLife, expect, test, watch, workerOf } from '../../support/mesh';

for (const known of PAGES) {
  test(`${known.path} comes to life without complaint and asks only its own node`, async ({ page, mesh }) => {
    const address = await addressOf(known, mesh);
    const watched = watch(page, mesh.first.origin);
    await page.goto(address);
    await expect(page.getByRole('heading', { name: known.heading }).first()).toBeVisible();
    // Alive: the panel shows what only the script knows, and the device computes.
    const worker = await workerOf(page);
    await expect.poll(() => mesh.api.browsers()).toContain(worker);
    await expect(page.getByRole('heading', { name: 'My Node Contribution' })).toBeVisible();
    await expect(page.getByText(/\d+ threads?[, ]/).or(page.getByText(/Chrom\w+ \d+, /)).first()).toBeAttached();
    expect(watched.complaints).toEqual([]);
    expect(watched.strangers).toEqual([]);
  });
}

test('the pages lead to each other without a complaint', async ({ page, mesh }) => {
  const watched = watch(page, mesh.first.origin);
  await page.goto(mesh.first.origin);
  const worker = await workerOf(page);
  for (const [link, heading] of [['Jobs', 'Jobs'], ['Nodes', 'Nodes'], ['Contribution', 'My Node Contribution'], ['New', 'New multiplication']]) {
    await page.getByRole('navigation', { name: 'Pages' }).getByRole('link', { name: link, exact: true }).click();
    await expect(page.getByRole('heading', { level: 1, name: heading })).toBeVisible();
  }
  expect(await workerOf(page)).toBe(worker);
  expect(watched).toEqual({ complaints: [], strangers: [] });
});

test('the list of nodes shows every device and how to join', async ({ page, mesh }) => {
  await page.goto(`${mesh.first.origin}/nodes`);
  const devices = page.getByRole('region', { name: 'Nodes' });
  await expect(devices).toContainText('laptop-1');
  await expect(devices).toContainText('laptop-2');
  await expect(devices).toContainText((await workerOf(page)).slice(0, 8));
  await expect(page.getByRole('img', { name: /QR code/ })).toBeVisible();
});

test('a node can be registered by its address, and a wrong one says why', async ({ page, mesh }) => {
  await page.goto(`${mesh.first.origin}/nodes`);
  await comesToLife(page);
  const address = page.getByLabel('Node address');
  const register = page.getByRole('button', { name: 'Register' });
  await address.fill('127.0.0.1:1');
  await register.click();
  await expect(page.getByRole('alert')).toBeVisible();
  await address.fill(mesh.second.address);
  await register.click();
  await expect(page.getByRole('status')).toContainText(mesh.second.shortId);
});

test('an unknown page and an unknown job say so', async ({ page, mesh }) => {
  for (const path of ['/nowhere', `/jobs/${'0'.repeat(32)}`]) {
    const answer = await page.goto(mesh.first.origin + path);
    expect(answer!.status()).toBe(404);
    await expect(page.getByRole('alert')).toBeVisible();
  }
});
