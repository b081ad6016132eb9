// Every page, in every state it can be in, as an audit of its accessibility sees it.

import AxeBuilder from '@axe-core/playwright';
import type { Page } from '@playwright/test';
import { random } from '../../support/api';
import { addressOf, PAGES } from '../../support/every_page';
import { comesToLife, expect, openContributing, test } from '../../support/mesh';

async function violations(page: Page): Promise<string[]> {
  const { violations } = await new AxeBuilder({ page }).analyze();
  return violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.target.join(' ')).join(', ')}`);
}

for (const colorScheme of ['light', 'dark'] as const) {
  test.describe(colorScheme, () => {
    test.use({ colorScheme });

    for (const known of PAGES) {
      test(`${known.path} has nothing against it`, async ({ page, mesh }) => {
        await page.goto(await addressOf(known, mesh));
        await comesToLife(page);
        expect(await violations(page)).toEqual([]);
      });
    }

    test('nor has a job that runs, is watched block by block, and is cancelled', async ({ page, mesh }) => {
      const { id } = await mesh.api.submit(random(3000, 20_000, 1), random(20_000, 3000, 2));
      await openContributing(page, mesh.api, `/jobs/${id}`);
      await expect.poll(async () => (await mesh.api.job(id)).blocks.done).toBeGreaterThan(2);
      await page.getByRole('slider', { name: /Map of the blocks/ }).press('End');
      expect(await violations(page)).toEqual([]);
      await page.getByRole('button', { name: 'Cancel' }).click();
      await expect(page.getByText('cancelled', { exact: true })).toBeVisible();
      expect(await violations(page)).toEqual([]);
    });

    test('nor have mistakes in the form, and pages about nothing', async ({ page, mesh }) => {
      await openContributing(page, mesh.api);
      await page.getByLabel('A row 1 column 1', { exact: true }).fill('seven');
      await page.getByLabel('Matrix B columns').fill('0');
      await expect(page.getByText('Matrix B columns is 0')).toBeVisible();
      expect(await violations(page)).toEqual([]);
      for (const path of ['/nowhere', `/jobs/${'0'.repeat(32)}`, '/jobs?status=failed']) {
        await page.goto(mesh.first.origin + path);
        await comesToLife(page);
        expect(await violations(page), path).toEqual([]);
      }
    });

    test('nor has the list of nodes when one of them is lost', async ({ page, mesh }) => {
      await page.goto(`${mesh.first.origin}/nodes`);
      await comesToLife(page);
      await mesh.second.kill();
      await expect(page.getByText('unreachable')).toBeVisible();
      expect(await violations(page)).toEqual([]);
    });
  });
}

test.describe('without script', () => {
  test.use({ javaScriptEnabled: false });

  for (const known of PAGES) {
    test(`${known.path} has a title, a language and one main heading`, async ({ page, mesh }) => {
      // The audit itself is a script: what it would look at first is looked at here.
      await page.goto(await addressOf(known, mesh));
      await expect(page).toHaveTitle(/matmesh/);
      await expect(page.locator('html')).toHaveAttribute('lang', 'en');
      await expect(page.getByRole('heading', { level: 1 })).toHaveCount(1);
      await expect(page.getByRole('main')).toHaveCount(1);
    });
  }
});
