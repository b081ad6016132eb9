// Scripts switched off: everything but the computing still works.

import { addressOf, PAGES } from '../../support/every_page';
import { expect, shownJob, test } from '../../support/mesh';

test.use({ javaScriptEnabled: false });

for (const known of PAGES) {
  test(`${known.path} is whole without script`, async ({ page, mesh }) => {
    const answer = await page.goto(await addressOf(known, mesh));
    expect(answer!.status()).toBe(200);
    await expect(page.getByRole('heading', { name: known.heading }).first()).toBeVisible();
    if (known.path.startsWith('/jobs/')) {
      await expect(page.getByRole('heading', { name: 'Result' })).toBeVisible();
      await expect(page.getByRole('progressbar')).toHaveAttribute('aria-valuenow', '100');
    }
  });
}

test('a random job is submitted by a form post and finishes under refresh', async ({ page, mesh }) => {
  await page.goto(mesh.first.origin);
  await page.getByRole('button', { name: '200×200', exact: true }).click();
  await expect(page.getByLabel('Matrix A rows')).toHaveValue('200');
  await page.getByRole('button', { name: 'Run Distributed Multiply' }).click();
  const id = await shownJob(page);
  // The page asks for itself again until the job is done.
  await expect(page.getByRole('heading', { name: 'Result' })).toBeVisible();
  expect((await mesh.api.job(id)).contributions.map((device) => device.kind)).toEqual(['native', 'native']);
});

test('typed matrices are submitted by a form post', async ({ page, mesh }) => {
  await page.goto(mesh.first.origin);
  for (const field of ['Matrix A rows', 'Matrix A columns', 'Matrix B columns']) await page.getByLabel(field).fill('2');
  await page.getByRole('button', { name: 'Show grids for these sizes' }).click();
  await expect(page.getByLabel('A row 2 column 3', { exact: true })).toHaveCount(0);
  for (const [name, entries] of [['A', '1234'], ['B', '5678']]) {
    for (const [index, text] of [...entries].entries()) {
      await page.getByLabel(`${name} row ${1 + Math.floor(index / 2)} column ${1 + (index % 2)}`, { exact: true }).fill(text);
    }
  }
  await page.getByRole('button', { name: 'Run Distributed Multiply' }).click();
  await shownJob(page);
  const rows = page.getByRole('region', { name: 'Result' }).getByRole('row');
  await expect(rows.nth(1).getByRole('cell')).toHaveText(['19', '22']);
  await expect(rows.nth(2).getByRole('cell')).toHaveText(['43', '50']);
});

test('what cannot be multiplied is said on the page', async ({ page, mesh }) => {
  await page.goto(mesh.first.origin);
  await page.getByLabel('A row 1 column 1', { exact: true }).fill('seven');
  await page.getByRole('button', { name: 'Run Distributed Multiply' }).click();
  await expect(page.getByRole('alert')).toContainText('seven');
});

test('two files are uploaded by a form post', async ({ page, mesh }) => {
  await page.goto(mesh.first.origin);
  const file = (name: string, text: string) => ({ name, mimeType: 'text/csv', buffer: Buffer.from(text) });
  await page.getByLabel('Matrix A file').setInputFiles(file('a.csv', '1,2\n3,4\n'));
  await page.getByLabel('Matrix B file').setInputFiles(file('b.csv', '5,6\n7,8\n'));
  await page.getByRole('button', { name: 'Multiply files' }).click();
  await shownJob(page);
  await expect(page.getByRole('heading', { name: 'Result' })).toBeVisible();
});
