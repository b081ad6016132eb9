import { random } from '../../support/api';
import { expect, openContributing, test } from '../../support/mesh';

test('a phone that closes in the middle delays a job but does not hurt it', async ({ context, mesh }) => {
  const phone = await context.newPage();
  const worker = await openContributing(phone, mesh.api);
  const { id } = await mesh.secondApi.submit(random(3000, 2000, 1), random(2000, 3000, 2));
  const rowsOfPhone = async () => {
    const { contributions } = await mesh.secondApi.job(id);
    return contributions.find((device) => device.worker === worker)?.rows ?? 0;
  };
  await expect.poll(rowsOfPhone, { intervals: [20] }).toBeGreaterThan(0);
  await phone.close();
  expect((await mesh.secondApi.job(id)).status, 'the phone left before the end').toBe('running');

  const job = await mesh.secondApi.ended(id);
  expect(job.status).toBe('complete');
  expect(job.blocks.done).toBe(job.blocks.total);
  expect(job.accepted_results).toBe(job.blocks.done);
  expect(job.rejected_results).toBe(0);
  const done = Object.fromEntries(job.contributions.map((device) => [device.kind, device.operations]));
  expect(done.browser).toBeGreaterThan(0);
  expect(done.native).toBeGreaterThan(0);
  // Every block once, whoever had it first.
  expect(job.contributions.reduce((sum, device) => sum + device.operations, 0)).toBe(2 * 3000 * 2000 * 3000);
});
