// The fixture of almost every test: two real nodes that see each other.

import { test as base, expect, type Page } from '@playwright/test';
import { Api } from './api';
import { startNode, type NodeOptions, type RealNode } from './node_process';

export { expect };

export type Mesh = {
  first: RealNode;
  second: RealNode;
  /** The interface of the first node, and of the second. */
  api: Api;
  secondApi: Api;
  /** One more node, linked to the first; stopped with the others. */
  add: (options: NodeOptions) => Promise<RealNode>;
};

type Fixtures = {
  /** Options of both nodes; a test file sets them with `test.use`. */
  nodeOptions: string[];
  mesh: Mesh;
};

export const test = base.extend<Fixtures>({
  nodeOptions: [[], { option: true }],
  mesh: async ({ nodeOptions }, use, testInfo) => {
    const nodes: RealNode[] = [];
    const start = async (options: NodeOptions) => {
      const node = await startNode(options);
      nodes.push(node);
      return node;
    };
    try {
      const first = await start({ name: 'laptop-1', options: nodeOptions });
      const second = await start({ name: 'laptop-2', options: nodeOptions, peers: [first] });
      const mesh: Mesh = {
        first,
        second,
        api: new Api(first),
        secondApi: new Api(second),
        add: (options) => start({ ...options, peers: [first] }),
      };
      await seeEachOther(mesh);
      await use(mesh);
    } finally {
      if (testInfo.status !== testInfo.expectedStatus) {
        for (const node of nodes) await testInfo.attach(`log of ${node.name}`, { body: node.log(), contentType: 'text/plain' });
      }
      await Promise.all(nodes.map((node) => node.stop()));
    }
  },
});

async function seeEachOther({ api, secondApi }: Mesh): Promise<void> {
  for (const side of [api, secondApi]) {
    // A node computes once it knows its own speed.
    const ready = async () => (await side.nodes()).filter((node) => node.status === 'alive' && node.mflops > 0).length;
    await expect.poll(ready, { message: `${side.node.name} sees both nodes compute` }).toBe(2);
  }
}

/** Waits until the page listens: what is done before is a plain form's. Its controls wait for the same. */
export async function comesToLife(page: Page): Promise<void> {
  await expect(page.locator('input[role="switch"]').first()).toBeEnabled();
}

/** Opens a page of a node and waits until it listens and the mesh has this device; gives its id. */
export async function openContributing(page: Page, api: Api, path = '/'): Promise<string> {
  await page.goto(api.node.origin + path);
  await comesToLife(page);
  const worker = await workerOf(page);
  await expect.poll(() => api.browsers(), { message: 'the page computes for the mesh' }).toContain(worker);
  return worker;
}

/** The id of the page among the workers of the mesh. */
export async function workerOf(page: Page): Promise<string> {
  await page.waitForFunction(() => (window as any).matmesh?.state.worker);
  return page.evaluate(() => (window as any).matmesh.state.worker);
}

/** The id of the job whose page is shown. */
export async function shownJob(page: Page): Promise<string> {
  await page.waitForURL(/\/jobs\/[0-9a-f]{32}/);
  return /\/jobs\/([0-9a-f]{32})/.exec(page.url())![1];
}

/** Chooses a preset and starts the job; gives its id once its page is shown. */
export async function runPreset(page: Page, size: number): Promise<string> {
  await page.getByRole('button', { name: `${size}×${size}`, exact: true }).click();
  await expect(page.getByLabel('Matrix A rows')).toHaveValue(String(size));
  await page.getByRole('button', { name: 'Run Distributed Multiply' }).click();
  return shownJob(page);
}

/** What a page complains about in its console, and what it asks of others than its node. */
export function watch(page: Page, origin: string): { complaints: string[]; strangers: string[] } {
  const watched = { complaints: [] as string[], strangers: [] as string[] };
  page.on('pageerror', (error) => watched.complaints.push(String(error)));
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) watched.complaints.push(message.text());
  });
  page.on('request', (request) => {
    const url = new URL(request.url());
    if (!['data:', 'blob:'].includes(url.protocol) && url.origin !== origin) watched.strangers.push(request.url());
  });
  page.on('websocket', (socket) => {
    const url = new URL(socket.url());
    if (url.host !== new URL(origin).host) watched.strangers.push(socket.url());
  });
  return watched;
}
