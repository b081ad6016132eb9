import { defineConfig, devices } from '@playwright/test';

// A phone's screen, and the narrowest one that the pages promise to fit.
const phone = { ...devices['Pixel 7'], viewport: { width: 412, height: 915 } };
const narrow = { ...devices['Pixel 7'], viewport: { width: 360, height: 740 } };
const desktop = { viewport: { width: 1280, height: 800 } };

export default defineConfig({
  testDir: 'tests',
  // The nodes and browsers of one test already use every core.
  workers: 1,
  fullyParallel: false,
  retries: 0,
  forbidOnly: Boolean(process.env.CI),
  timeout: 60_000,
  expect: { timeout: 15_000 },
  reporter: [['list']],
  use: {
    browserName: 'chromium',
    actionTimeout: 15_000,
    navigationTimeout: 20_000,
    trace: 'retain-on-failure',
    launchOptions: {
      // The system's browser: nothing is downloaded.
      executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
      args: [
        '--no-sandbox',
        '--disable-gpu',
        '--disable-quic',
        '--no-first-run',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
      ],
    },
  },
  projects: [
    { name: 'bridge', testDir: 'tests/bridge', use: desktop },
    { name: 'desktop', testMatch: ['**/tests/shared/*.spec.ts', '**/tests/desktop/*.spec.ts'], use: desktop },
    { name: 'mobile', testMatch: ['**/tests/shared/*.spec.ts', '**/tests/mobile/*.spec.ts'], use: phone },
    { name: 'narrow', testDir: 'tests/narrow', use: narrow },
    // Not a test: `npm run pictures`, for people to look at.
    ...(process.env.PICTURES ? [{ name: 'pictures', testDir: 'tests/pictures', use: desktop }] : []),
  ],
});
