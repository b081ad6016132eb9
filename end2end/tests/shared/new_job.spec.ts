// A person fills the form in and gets a product.

import { expect, openContributing, runPreset, shownJob, test } from '../../support/mesh';

test('a random job from a preset is computed by every device', async ({ page, mesh }) => {
  const worker = await openContributing(page, mesh.api);
  const id = await runPreset(page, 100);

  await expect(page.getByRole('heading', { name: 'Result' })).toBeVisible();
  await expect(page.getByRole('progressbar')).toHaveAttribute('aria-valuenow', '100');
  await expect(page.getByRole('link', { name: 'Download CSV' })).toBeVisible();
  await expect(page.getByRole('link', { name: 'Download NPY' })).toBeVisible();

  const job = await mesh.api.job(id);
  expect(job.status).toBe('complete');
  expect(job.accepted_results).toBe(job.blocks.done);
  expect(job.contributions.map((device) => device.worker)).toContain(worker);
  expect(job.contributions.map((device) => device.kind).sort()).toEqual(['browser', 'native', 'native']);
  expect(job.contributions.reduce((sum, device) => sum + device.rows, 0)).toBe(100);

  const devices = page.getByRole('region', { name: 'Who computed' });
  for (const device of job.contributions) {
    await expect(devices.getByRole('row').filter({ hasText: device.name }).first()).toBeVisible();
  }
  await expect(devices.getByRole('row')).toHaveCount(1 + 3);
  await expect(devices).toContainText('laptop-1');
  await expect(devices).toContainText('laptop-2');
  await expect(devices).toContainText('Chrom');
});

test('typed matrices are multiplied and shown inline', async ({ page, mesh }) => {
  await openContributing(page, mesh.api);
  for (const field of ['Matrix A rows', 'Matrix A columns', 'Matrix B columns']) await page.getByLabel(field).fill('2');
  await expect(page.getByLabel('Matrix B rows')).toHaveValue('2');
  await expect(page.getByLabel('A row 1 column 3')).toHaveCount(0);
  await fillMatrix('A', [['1', '2'], ['3', '4']]);
  await fillMatrix('B', [['5', '6'], ['7', '8']]);
  await page.getByRole('button', { name: 'Run Distributed Multiply' }).click();
  await shownJob(page);

  const rows = page.getByRole('region', { name: 'Result' }).getByRole('row');
  await expect(rows.nth(1).getByRole('cell')).toHaveText(['19', '22']);
  await expect(rows.nth(2).getByRole('cell')).toHaveText(['43', '50']);

  async function fillMatrix(name: string, entries: string[][]) {
    for (const [row, cells] of entries.entries()) {
      for (const [column, text] of cells.entries()) {
        await page.getByLabel(`${name} row ${row + 1} column ${column + 1}`, { exact: true }).fill(text);
      }
    }
  }
});

test('fill random draws other entries', async ({ page, mesh }) => {
  await openContributing(page, mesh.api);
  // One cell alone is drawn again as it was once in a thousand times.
  const cells = ['A row 1 column 1', 'A row 1 column 2', 'A row 2 column 1'];
  const values = () =>
    Promise.all(cells.map((name) => page.getByLabel(name, { exact: true }).inputValue()));
  const before = await values();
  await page.getByRole('button', { name: 'Fill Random' }).click();
  await expect.poll(values).not.toEqual(before);
});

test('what is no number is refused beside the form', async ({ page, mesh }) => {
  await openContributing(page, mesh.api);
  await page.getByLabel('A row 1 column 1', { exact: true }).fill('seven');
  await page.getByRole('button', { name: 'Run Distributed Multiply' }).click();
  await expect(page.getByRole('alert')).toContainText('seven');
  expect(new URL(page.url()).pathname).toBe('/');
});

test('a job that runs can be watched from another node', async ({ page, mesh }) => {
  await openContributing(page, mesh.api);
  const id = await runPreset(page, 200);
  await page.goto(`${mesh.second.origin}/jobs/${id}`);
  await expect(page.getByRole('heading', { name: 'Result' })).toBeVisible();
  await page.goto(`${mesh.second.origin}/jobs`);
  await expect(page.getByRole('link', { name: id.slice(0, 8) })).toBeVisible();
});

test('what is typed as a size stays as it is typed, with the reason why it cannot be', async ({ page, mesh }) => {
  await openContributing(page, mesh.api);
  const rows = page.getByLabel('Matrix A rows');
  for (const typed of ['2.5', '-3']) {
    await rows.press('Control+A');
    await rows.pressSequentially(typed);
    await expect(rows).toHaveValue(typed);
    await expect(page.getByText(`Matrix A rows is “${typed}”: type a whole number`)).toBeVisible();
  }
  await page.getByRole('button', { name: '50×50', exact: true }).click();
  await expect(rows).toHaveValue('50');
});

test('a form is as it was left when somebody comes back from another page', async ({ page, mesh }) => {
  await openContributing(page, mesh.api);
  await page.getByLabel('Matrix A rows').fill('2');
  const cell = page.getByLabel('A row 2 column 1', { exact: true });
  await cell.fill('55');
  await page.getByRole('link', { name: 'Nodes', exact: true }).click();
  await expect(page.getByRole('heading', { name: 'Nodes', level: 1 })).toBeVisible();
  await page.goBack();
  await expect(cell).toHaveValue('55');
  await expect(page.getByLabel('Matrix A rows')).toHaveValue('2');
});
