import { bytesOf, firstDifference, sampleMatrix, textbookProduct } from '../../support/matrix';
import { seededMatrix } from '../../support/plain_scripts';
import { random } from '../../support/api';
import { expect, openContributing, test } from '../../support/mesh';

const SIDE = 200;

test('a crowd with a browser in it gives the bits of the textbook loop', async ({ page, mesh }) => {
  const worker = await openContributing(page, mesh.api);
  const a = sampleMatrix(SIDE, SIDE, 11);
  const b = sampleMatrix(SIDE, SIDE, 12);
  const typed = (matrix: Float64Array) => ({ rows: SIDE, cols: SIDE, data: [...matrix] });
  const { id } = await mesh.api.submit(typed(a), typed(b));
  const job = await mesh.api.ended(id);
  expect(job.status).toBe('complete');
  expect(job.contributions.map((device) => device.worker)).toContain(worker);
  const result = await mesh.secondApi.result(id);
  expect([result.rows, result.cols]).toEqual([SIDE, SIDE]);
  expect(firstDifference(result.bytes, bytesOf(textbookProduct(a, b, SIDE, SIDE, SIDE)))).toBeNull();
});

test('seeded matrices are numpys on every device', async ({ page, mesh }) => {
  const worker = await openContributing(page, mesh.api);
  const seeded = (seed: string) => seededMatrix({ seed, matrix_cols: SIDE, row_start: 0, col_start: 0 }, SIDE, SIDE);
  const { id } = await mesh.api.submit(random(SIDE, SIDE, 7), random(SIDE, SIDE, 8));
  const job = await mesh.api.ended(id);
  expect(job.contributions.map((device) => device.worker)).toContain(worker);
  const result = await mesh.api.result(id);
  const want = textbookProduct(seeded('7'), seeded('8'), SIDE, SIDE, SIDE);
  expect(firstDifference(result.bytes, bytesOf(want))).toBeNull();
});
