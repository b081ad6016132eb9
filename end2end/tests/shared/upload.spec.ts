// Two files instead of typed entries.

import type { Page } from '@playwright/test';
import { expect, openContributing, shownJob, test } from '../../support/mesh';

async function upload(page: Page, a: string, b: string): Promise<void> {
  const file = (name: string, text: string) => ({ name, mimeType: 'text/csv', buffer: Buffer.from(text) });
  await page.getByLabel('Matrix A file').setInputFiles(file('a.csv', a));
  await page.getByLabel('Matrix B file').setInputFiles(file('b.csv', b));
  await page.getByRole('button', { name: 'Multiply files' }).click();
}

test('two small files are multiplied', async ({ page, mesh }) => {
  await openContributing(page, mesh.api);
  await upload(page, '1,2,3\n4,5,6\n', '1,0\n0,1\n2,-1\n');
  await shownJob(page);
  const rows = page.getByRole('region', { name: 'Result' }).getByRole('row');
  await expect(rows.nth(1).getByRole('cell')).toHaveText(['7', '-1']);
  await expect(rows.nth(2).getByRole('cell')).toHaveText(['16', '-1']);
});

test('two files that do not fit are refused with the reason', async ({ page, mesh }) => {
  await openContributing(page, mesh.api);
  await upload(page, '1,2,3\n4,5,6\n', '1,2\n3,4\n');
  const alert = page.getByRole('alert');
  await expect(alert).toBeVisible();
  await expect(alert).toContainText('3');
  await expect(alert).toContainText('2');
  expect(new URL(page.url()).pathname).toBe('/');
});

test('a file that is no matrix is refused with the line', async ({ page, mesh }) => {
  await openContributing(page, mesh.api);
  await upload(page, '1,2\n3,banana\n', '1,2\n3,4\n');
  await expect(page.getByRole('alert')).toContainText(/line 2|row 2/i);
});

test('two files are dropped one after the other, and multiplied', async ({ page, mesh }) => {
  await openContributing(page, mesh.api);
  const drop = (name: string, text: string) =>
    page.evaluate(([name, text]) => {
      const data = new DataTransfer();
      data.items.add(new File([text], name, { type: 'text/csv' }));
      const target = document.querySelector('form[enctype="multipart/form-data"]')!;
      for (const type of ['dragenter', 'dragover', 'drop']) {
        target.dispatchEvent(new DragEvent(type, { bubbles: true, cancelable: true, dataTransfer: data }));
      }
    }, [name, text]);
  await drop('a.csv', '1,2\n3,4\n');
  await drop('b.csv', '0,1\n1,0\n');
  await page.getByRole('button', { name: 'Multiply files' }).click();
  await shownJob(page);
  const rows = page.getByRole('region', { name: 'Result' }).getByRole('row');
  await expect(rows.nth(1).getByRole('cell')).toHaveText(['2', '1']);
});

test('a file that is dropped beside the form does not take the place of the page', async ({ page, mesh }) => {
  await openContributing(page, mesh.api);
  const isLeftToTheBrowser = (selector: string) =>
    page.locator(selector).first().evaluate((target) =>
      ['dragover', 'drop'].map((type) => target.dispatchEvent(new DragEvent(type, { bubbles: true, cancelable: true }))),
    );
  expect(await isLeftToTheBrowser('main h1')).toEqual([false, false]);
  expect(await isLeftToTheBrowser('#a-file'), 'the field takes it by itself').toEqual([false, true]);
});
