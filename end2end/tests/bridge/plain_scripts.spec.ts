// What a page without WebAssembly computes with, against what others say it
// must give; and the names of devices.

import type { Page } from '@playwright/test';
import { blake3, seededMatrix } from '../../support/plain_scripts';
import { expect, test } from './bridge';

/** What the bridge calls a browser that says this of itself. */
async function deviceName(page: Page, browser: object): Promise<string> {
  return page.evaluate(async (said) => {
    const address = '/compute/device.js';
    return (await import(address)).describeDevice(said);
  }, browser);
}

test('seeded matrices are numpys', () => {
  // np.random.Generator(np.random.Philox(key=seed)).random((5, 7)), its row 2 from column 1 on.
  const part = (seed: string) => [...seededMatrix({ seed, matrix_cols: 7, row_start: 2, col_start: 1 }, 1, 4)];
  expect(part('7')).toEqual([0.7690032429873319, 0.06163956831671513, 0.5249688441764717, 0.683276231763482]);
  expect(part('18446744073709551615')).toEqual([
    0.3514435272564652, 0.0584047863326409, 0.3724494170358138, 0.09259669513064395,
  ]);
});

test('blake3 gives the hashes of its test vectors', () => {
  const hash = (length: number) => blake3(Uint8Array.from({ length }, (_, index) => index % 251));
  expect(hash(0)).toBe('af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262');
  expect(hash(1024)).toBe('42214739f095a406f3fc83deb889744ac00df831c10daa55189b5d121c855af7');
  expect(hash(1025)).toBe('d00278ae47eb27b34faecf67b4fe263f82d5412916c1ffd97c8cb7fb814b8444');
  expect(hash(31744)).toBe('62b6960e1a44bcc1eb1a611a8d6235b6b4b78f32e7abc4fb4c6cdcce94895c47');
});

test('a device is named by its browser and system', async ({ page, open }) => {
  await open(page);
  const cases: [string, string][] = [
    ['Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Mobile Safari/537.36', 'Chromium 140, Android'],
    ['Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1', 'Safari 18, iOS'],
    ['Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:141.0) Gecko/20100101 Firefox/141.0', 'Firefox 141, Windows'],
    ['Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0', 'Edge 140, Linux'],
    ['', 'Browser, unknown system'],
  ];
  for (const [userAgent, name] of cases) expect(await deviceName(page, { userAgent })).toBe(name);
});

test('a browser that says its brand is named by it', async ({ page, open }) => {
  await open(page);
  const userAgentData = { platform: 'Android', brands: [{ brand: 'Not=A?Brand', version: '24' }, { brand: 'Chromium', version: '140' }] };
  expect(await deviceName(page, { userAgent: '', userAgentData })).toBe('Chromium 140, Android');
});
