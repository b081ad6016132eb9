// A job that nobody computes: it is given up, and the page says why and what to do.

import { Api, random } from '../../support/api';
import { expect, test } from '../../support/mesh';
import { startNode } from '../../support/node_process';

// A page with script would compute the job.
test.use({ javaScriptEnabled: false });

test('a job without a device fails, and its page says why', async ({ page }) => {
  const node = await startNode({ name: 'laptop-1', options: ['--threads', '0', '--result-ttl-s', '6'] });
  try {
    const api = new Api(node);
    const { id } = await api.submit(random(40, 40, 1), random(40, 40, 2));
    expect((await api.ended(id)).status).toBe('failed');
    await page.goto(`${node.origin}/jobs/${id}`);
    await expect(page.getByText('failed', { exact: true })).toBeVisible();
    await expect(page.getByRole('alert')).toContainText('submit it again when devices are there');
    await expect(page.getByRole('progressbar')).toHaveAttribute('aria-valuenow', '0');
    await expect(page.getByText('No device has computed a block.')).toBeVisible();
    await expect(page.getByRole('heading', { name: 'Result' })).toHaveCount(0);
    await page.goto(`${node.origin}/jobs?status=failed`);
    await expect(page.getByRole('link', { name: id.slice(0, 8) })).toBeVisible();
  } finally {
    await node.stop();
  }
});
