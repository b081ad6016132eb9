// The grids of small matrices: the keyboard, and what comes from a spreadsheet.

import type { Locator, Page } from '@playwright/test';
import { expect, openContributing, shownJob, test } from '../../support/mesh';

const cell = (page: Page, name: string, row: number, column: number) =>
  page.getByLabel(`${name} row ${row} column ${column}`, { exact: true });

/** What a spreadsheet puts into the clipboard: cells with tabs, rows with line ends. */
async function paste(at: Locator, text: string): Promise<void> {
  await at.focus();
  await at.evaluate((element, text) => {
    const clipboardData = new DataTransfer();
    clipboardData.setData('text/plain', text);
    element.dispatchEvent(new ClipboardEvent('paste', { clipboardData, bubbles: true, cancelable: true }));
  }, text);
}

const sheet = (rows: number, columns: number, entry: (row: number, column: number) => number) =>
  Array.from({ length: rows }, (_, row) => Array.from({ length: columns }, (_, column) => entry(row, column)).join('\t')).join('\r\n') + '\r\n';

test('a 15×15 matrix is pasted from a spreadsheet, and multiplied', async ({ page, mesh }) => {
  await openContributing(page, mesh.api);
  await paste(cell(page, 'A', 1, 1), sheet(15, 15, (row, column) => 100 * row + column));
  await expect(page.getByLabel('Matrix A rows')).toHaveValue('15');
  await expect(page.getByLabel('Matrix A columns')).toHaveValue('15');
  await expect(cell(page, 'A', 15, 15)).toHaveValue('1414');
  await expect(page.getByText('Pasted 15 × 15 cells into matrix A.')).toBeVisible();
  await paste(cell(page, 'B', 1, 1), sheet(15, 15, (row, column) => Number(row === column)));
  await page.getByRole('button', { name: 'Run Distributed Multiply' }).click();
  await shownJob(page);
  const rows = page.getByRole('region', { name: 'Result' }).getByRole('row');
  // Times the identity: the same matrix.
  await expect(rows.nth(15).getByRole('cell')).toHaveText(Array.from({ length: 15 }, (_, column) => String(1400 + column)));
});

test('rows of different length are pasted as they are, and that is said', async ({ page, mesh }) => {
  await openContributing(page, mesh.api);
  const untouched = await cell(page, 'A', 2, 3).inputValue();
  await paste(cell(page, 'A', 1, 1), '1\t2\t3\n4\t5\n6\t7\t8');
  await expect(page.getByText('the first has 3 cells, row 2 has 2')).toBeVisible();
  await expect(cell(page, 'A', 2, 2)).toHaveValue('5');
  await expect(cell(page, 'A', 2, 3)).toHaveValue(untouched);
  await expect(cell(page, 'A', 3, 3)).toHaveValue('8');
});

test('letters in a cell are pointed out at once, by cell', async ({ page, mesh }) => {
  await openContributing(page, mesh.api);
  await cell(page, 'B', 2, 1).fill('seven');
  await expect(cell(page, 'B', 2, 1)).toHaveAttribute('aria-invalid', 'true');
  await expect(page.getByText('B row 2 column 1: “seven” is not a number.')).toBeVisible();
  await cell(page, 'B', 2, 1).fill('7');
  await expect(cell(page, 'B', 2, 1)).not.toHaveAttribute('aria-invalid');
  await expect(page.getByText('is not a number')).toBeHidden();
});

test('above 15×15 there is no grid, but a seed', async ({ page, mesh }) => {
  await openContributing(page, mesh.api);
  for (const label of ['Matrix A rows', 'Matrix A columns', 'Matrix B columns']) await page.getByLabel(label).fill('15');
  await expect(cell(page, 'A', 15, 15)).toBeVisible();
  await page.getByLabel('Matrix A rows').fill('16');
  await expect(cell(page, 'A', 1, 1)).toBeHidden();
  await expect(page.getByLabel('Seed of matrix A')).toBeVisible();
  await expect(cell(page, 'B', 15, 15)).toBeVisible();
});

test('arrow keys and Enter lead from cell to cell, and no further', async ({ page, mesh }) => {
  await openContributing(page, mesh.api);
  await cell(page, 'A', 1, 1).focus();
  for (const [key, row, column] of [
    ['ArrowRight', 1, 2],
    ['ArrowDown', 2, 2],
    ['ArrowLeft', 2, 1],
    ['ArrowUp', 1, 1],
    ['ArrowUp', 1, 1],
    ['Enter', 2, 1],
    ['Enter', 3, 1],
    ['Enter', 1, 2],
    ['Shift+Enter', 3, 1],
    ['Tab', 3, 2],
  ] as const) {
    await page.keyboard.press(key);
    await expect(cell(page, 'A', row, column), `after ${key}`).toBeFocused();
  }
  expect(new URL(page.url()).pathname).toBe('/');
});

test('identity, clear and integers fill the cells', async ({ page, mesh }) => {
  await openContributing(page, mesh.api);
  await page.getByRole('button', { name: 'Identity A' }).click();
  await expect(cell(page, 'A', 2, 2)).toHaveValue('1');
  await expect(cell(page, 'A', 2, 1)).toHaveValue('0');
  await page.getByRole('button', { name: 'Clear B' }).click();
  await expect(cell(page, 'B', 1, 1)).toHaveValue('');
  await expect(page.getByText('B row 1 column 1 is empty')).toBeVisible();
  await page.getByRole('button', { name: 'Fill Integers' }).click();
  await expect(cell(page, 'B', 1, 1)).toHaveValue(/^-?\d$/);
  await expect(page.getByText('is empty')).toBeHidden();
  await page.getByRole('button', { name: '50×50', exact: true }).click();
  await expect(page.getByRole('button', { name: 'Fill Integers' })).toBeDisabled();
});

test('sizes that cannot be used are explained while they are typed', async ({ page, mesh }) => {
  await openContributing(page, mesh.api);
  const rows = page.getByLabel('Matrix A rows');
  await rows.fill('30000');
  await expect(page.getByText('the most that this mesh takes')).toBeVisible();
  await rows.fill('');
  await expect(page.getByText('Matrix A rows is empty')).toBeVisible();
  await rows.fill('200');
  await expect(page.getByText('Matrix A rows is')).toBeHidden();
  await expect(page.getByRole('region', { name: 'What it will cost' })).toContainText('floating-point operations');
});
