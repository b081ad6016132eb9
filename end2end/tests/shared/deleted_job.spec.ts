// A complete job is deleted on its page, with script and without.

import { random } from '../../support/api';
import { expect, test } from '../../support/mesh';

for (const javaScriptEnabled of [true, false]) {
  test.describe(javaScriptEnabled ? 'with script' : 'without script', () => {
    test.use({ javaScriptEnabled });

    test('a job is deleted on its page', async ({ page, mesh }) => {
      const { id } = await mesh.api.submit(random(30, 30, 1), random(30, 30, 2));
      await mesh.api.ended(id);
      await page.goto(`${mesh.first.origin}/jobs/${id}`);
      await expect(page.getByRole('heading', { name: 'Result' })).toBeVisible();
      const button = page.getByRole('button', { name: 'Delete the job and its result' });
      await expect(button).toBeHidden();
      await page.getByText('Delete this job').click();
      await button.click();
      if (javaScriptEnabled) await expect(page).toHaveURL(`${mesh.first.origin}/jobs`);
      else await expect(page.getByText('has expired or was deleted')).toBeVisible();
      expect(await mesh.api.job(id).catch(String)).toContain('410');
      await page.goto(`${mesh.first.origin}/jobs`);
      await expect(page.getByRole('link', { name: id.slice(0, 8) })).toHaveCount(0);
    });
  });
}
