// Dark and light, by the system and by choice.

import type { Page } from '@playwright/test';
import { comesToLife, expect, test } from '../../support/mesh';

/** How bright the page's ground is, 0 to 255. */
const ground = (page: Page) =>
  page.evaluate(() => Number(/\d+/.exec(getComputedStyle(document.body).backgroundColor)![0]));

test('colours follow the system until one is chosen, which is kept', async ({ page, mesh }) => {
  await page.emulateMedia({ colorScheme: 'light' });
  await page.goto(mesh.first.origin);
  await comesToLife(page);
  expect(await ground(page)).toBeGreaterThan(200);
  await page.emulateMedia({ colorScheme: 'dark' });
  expect(await ground(page)).toBeLessThan(60);

  await page.getByLabel('Colours').selectOption('light');
  expect(await ground(page)).toBeGreaterThan(200);
  await page.reload();
  expect(await ground(page), 'before any script came to life').toBeGreaterThan(200);
  await expect(page.getByLabel('Colours')).toHaveValue('light');

  await page.getByLabel('Colours').selectOption('');
  expect(await ground(page)).toBeLessThan(60);
});
