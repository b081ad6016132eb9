import { expect, openContributing, runPreset, test } from '../../support/mesh';

test('two jobs at once from two pages on two nodes both finish', async ({ context, mesh }) => {
  const sides = [mesh.api, mesh.secondApi];
  const pages = await Promise.all(sides.map(() => context.newPage()));
  const workers = await Promise.all(sides.map((api, side) => openContributing(pages[side], api)));
  const jobs = await Promise.all(pages.map((page) => runPreset(page, 200)));
  expect(jobs[0]).not.toBe(jobs[1]);
  for (const [side, page] of pages.entries()) {
    await page.bringToFront();
    await expect(page.getByRole('heading', { name: 'Result' })).toBeVisible();
    // Each job is known, with every device's part, at the other node too.
    const job = await sides[1 - side].job(jobs[side]);
    expect(job.status).toBe('complete');
    expect(job.contributions.reduce((sum, device) => sum + device.rows, 0)).toBe(200);
    expect(job.contributions.map((device) => device.worker)).toContain(workers[side]);
  }
});
