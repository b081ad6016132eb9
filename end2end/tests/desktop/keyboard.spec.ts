// The main flow without a mouse.

import type { Page } from '@playwright/test';
import { expect, openContributing, shownJob, test } from '../../support/mesh';

/** Goes on with Tab until the named control has the focus. */
async function tabTo(page: Page, role: string, name: string | RegExp): Promise<void> {
  const wanted = page.getByRole(role as 'button', { name }).first();
  for (let steps = 0; steps < 80; steps += 1) {
    await page.keyboard.press('Tab');
    if (await wanted.evaluate((element) => element === document.activeElement)) return;
  }
  throw new Error(`Tab does not lead to ${role} ${name}`);
}

test('a multiplication is typed, started, watched and read with the keyboard alone', async ({ page, mesh }) => {
  await openContributing(page, mesh.api);
  await page.keyboard.press('Tab');
  await expect(page.getByRole('link', { name: 'Skip to content' })).toBeFocused();
  await page.keyboard.press('Enter');
  await tabTo(page, 'spinbutton', 'Matrix A rows');
  for (const [name, side] of [['Matrix A rows', '1'], ['Matrix A columns', '2'], ['Matrix B columns', '1']]) {
    await expect(page.getByLabel(name)).toBeFocused();
    await page.keyboard.press('Control+a');
    await page.keyboard.type(side);
    await page.keyboard.press('Tab');
  }
  await tabTo(page, 'textbox', 'A row 1 column 1');
  await page.keyboard.type('3');
  await page.keyboard.press('ArrowRight');
  await page.keyboard.press('Tab');
  await page.getByLabel('A row 1 column 2').focus();
  await page.keyboard.type('4');
  await tabTo(page, 'textbox', 'B row 1 column 1');
  await page.keyboard.type('5');
  await page.keyboard.press('Enter');
  await page.keyboard.type('6');
  await tabTo(page, 'button', 'Run Distributed Multiply');
  await page.keyboard.press('Enter');
  await shownJob(page);
  const result = page.getByRole('region', { name: 'Result' });
  await expect(result.getByRole('cell').last()).toHaveText('39');

  await tabTo(page, 'slider', /Map of the blocks/);
  await page.keyboard.press('End');
  await expect(page.getByRole('slider')).toHaveAttribute('aria-valuetext', /Block \d+: rows 1–1.*computed by/);
  await tabTo(page, 'link', 'Download CSV');
  const download = page.waitForEvent('download');
  await page.keyboard.press('Enter');
  expect((await download).suggestedFilename()).toMatch(/^matmesh-[0-9a-f]{8}\.csv$/);
});
