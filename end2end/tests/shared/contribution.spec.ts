// What `My Node Contribution` shows, and its switch.

import type { Locator, Page } from '@playwright/test';
import { random } from '../../support/api';
import { expect, openContributing, runPreset, test } from '../../support/mesh';

/** A figure of the panel: of this browser, and of the node that serves the page. */
function figure(page: Page, label: string): { browser: Locator; node: Locator } {
  const panel = page.getByRole('region', { name: 'My Node Contribution' });
  const term = page.getByRole('term').filter({ hasText: label });
  const values = panel.locator('div', { has: term }).last().getByRole('definition');
  return { browser: values.nth(0), node: values.nth(1) };
}

/** The number at the beginning of a figure, however many decimals it is shown with. */
async function shownNumber(value: Locator): Promise<number> {
  return Number.parseFloat(await value.innerText());
}

test('the figures of a job are those of the api', async ({ page, mesh }) => {
  const worker = await openContributing(page, mesh.api);
  const id = await runPreset(page, 200);
  await expect(page.getByRole('heading', { name: 'Result' })).toBeVisible();
  const job = await mesh.api.job(id);
  const mine = job.contributions.find((device) => device.worker === worker)!;
  const [self] = (await mesh.api.nodes()).filter((node) => node.self);
  const nodes = job.contributions.find((device) => device.worker === self.id)!;
  for (const [side, device] of [['browser', mine], ['node', nodes]] as const) {
    await expect(figure(page, 'Rows Processed')[side]).toHaveText(String(device.rows));
    await expect(figure(page, 'Operations')[side]).toHaveText(String(device.operations));
    await expect(figure(page, 'Compute Time')[side]).toHaveText(/ ms$/);
    await expect.poll(() => shownNumber(figure(page, 'Compute Time')[side])).toBeCloseTo(device.compute_ms, 1);
    if (device.mflops === null) await expect(figure(page, 'MFLOPS')[side]).toHaveText('–');
    else await expect.poll(() => shownNumber(figure(page, 'MFLOPS')[side])).toBeCloseTo(device.mflops, 0);
    await expect(figure(page, 'Device')[side]).toHaveText(device.device);
  }
  expect(mine.operations).toBe(2 * mine.rows * 200 * 200);
});

test('the browsers own account is the sum of its jobs', async ({ page, mesh }) => {
  const worker = await openContributing(page, mesh.api, '/contribution');
  let rows = 0;
  let operations = 0;
  for (const size of [60, 90]) {
    const { id } = await mesh.api.submit(random(size, size, 1), random(size, size, 2));
    const job = await mesh.api.ended(id);
    const mine = job.contributions.find((device) => device.worker === worker)!;
    rows += mine.rows;
    operations += mine.operations;
  }
  await expect(figure(page, 'Rows Processed').browser).toHaveText(String(rows));
  await expect(figure(page, 'Operations').browser).toHaveText(String(operations));
  // The same after a reload, which is the same device.
  await page.reload();
  await expect(figure(page, 'Rows Processed').browser).toHaveText(String(rows));
});

test('switched off, a device stops contributing until it is switched on', async ({ page, mesh }) => {
  const worker = await openContributing(page, mesh.api, '/contribution');
  const contribute = page.getByRole('switch', { name: 'Contribute this device' });
  const workersOfNewJob = async () => {
    const { id } = await mesh.api.submit(random(100, 100, 1), random(100, 100, 2));
    const job = await mesh.api.ended(id);
    expect(job.status).toBe('complete');
    return job.contributions.map((device) => device.worker);
  };
  await expect(contribute).toBeChecked();
  expect(await workersOfNewJob()).toContain(worker);

  await contribute.uncheck();
  expect(await workersOfNewJob()).not.toContain(worker);
  // It stays off on the next page.
  await page.reload();
  await expect(contribute).not.toBeChecked();
  expect(await workersOfNewJob()).not.toContain(worker);

  await contribute.check();
  await expect.poll(workersOfNewJob).toContain(worker);
});

test('the number of threads can be chosen', async ({ page, mesh }) => {
  const worker = await openContributing(page, mesh.api, '/contribution');
  const threadsOf = async () => {
    const browsers = (await mesh.api.nodes()).flatMap((node) => node.browsers);
    return browsers.find((browser) => browser.id === worker)?.threads;
  };
  const threads = page.getByLabel('Threads');
  await threads.fill('2');
  await threads.press('Tab');
  await expect.poll(threadsOf).toBe(2);
  await threads.fill('1');
  await threads.press('Tab');
  await expect.poll(threadsOf).toBe(1);
  for (const nonsense of ['0', '-1', '']) {
    await threads.fill(nonsense);
    await threads.press('Tab');
    await expect(threads).toHaveValue('1');
  }
});

test('the chart shows how fast this device was, and its share of all work', async ({ page, mesh }) => {
  await openContributing(page, mesh.api, '/contribution');
  const panel = page.getByRole('region', { name: 'What this browser computes' });
  const chart = panel.getByRole('img');
  await expect(chart).toHaveCount(0);
  const { id } = await mesh.api.submit(random(300, 300, 1), random(300, 300, 2));
  await mesh.api.ended(id);
  await expect(chart).toHaveAccessibleName(/[1-9]/);
  const share = /[1-9]\d*\s?% of everything/;
  await expect(panel).toContainText(share);
  await page.reload();
  await expect(panel).toContainText(share);
});

test('a device whose battery is low pauses, says so, and goes on when it is charged', async ({ page, mesh }) => {
  await page.addInitScript(() => {
    const battery = Object.assign(new EventTarget(), { level: 0.9, charging: false });
    (window as any).battery = battery;
    (navigator as any).getBattery = async () => battery;
  });
  const worker = await openContributing(page, mesh.api, '/contribution');
  const contributing = async () => {
    const browsers = (await mesh.api.nodes()).flatMap((node) => node.browsers);
    return (browsers.find((browser) => browser.id === worker) as any)?.contributing;
  };
  const becomes = (state: { level: number; charging: boolean }, event: string) =>
    page.evaluate(([state, event]) => {
      Object.assign((window as any).battery, state);
      (window as any).battery.dispatchEvent(new Event(event as string));
    }, [state, event] as const);
  expect(await contributing()).toBe(true);
  await becomes({ level: 0.1, charging: false }, 'levelchange');
  await expect.poll(contributing).toBe(false);
  await expect(page.getByText('the battery is low')).toBeVisible();
  await becomes({ level: 0.1, charging: true }, 'chargingchange');
  await expect.poll(contributing).toBe(true);
});
