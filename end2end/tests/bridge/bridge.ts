// The bridge's test bench: a mock node, a page on it, and blocks to compute.

import { test as base, expect, type Page } from '@playwright/test';
import { computeModules } from '../../support/compute_modules';
import { MockNode, type ComputeModules, type Message, type PageLink, type Received } from '../../support/mock_node';
import { blake3 } from '../../support/plain_scripts';
import { bytesOf, firstDifference, sampleMatrix, textbookProduct } from '../../support/matrix';

export { expect };
export const JOB = 'ab'.repeat(16);
const NODE = 'cd'.repeat(16);

export type Bench = {
  modules: ComputeModules;
  node: MockNode;
  /** A node that the test may start beside the first; stopped at the end. */
  startNode: (modules?: ComputeModules) => Promise<MockNode>;
  /** Opens the page and answers its hello. */
  open: (page: Page, node?: MockNode) => Promise<PageLink>;
};

export const test = base.extend<Bench, { workerModules: ComputeModules }>({
  workerModules: [async ({}, use) => use(await computeModules()), { scope: 'worker' }],
  modules: async ({ workerModules }, use) => use(workerModules),
  startNode: async ({ modules }, use) => {
    const nodes: MockNode[] = [];
    await use(async (served = modules) => {
      const node = await MockNode.start(served);
      nodes.push(node);
      return node;
    });
    await Promise.all(nodes.map((node) => node.stop().catch(() => {})));
  },
  node: async ({ startNode }, use) => use(await startNode()),
  open: async ({ node }, use) => {
    await use(async (page, at = node) => {
      const before = at.links.length;
      await page.goto(at.origin);
      return welcome(at, before);
    });
  },
});

/** Answers the hello of a node's page number `index`, counted from 0. */
export async function welcome(node: MockNode, index: number, nodes: string[] = []): Promise<PageLink> {
  await expect.poll(() => node.links.length, { timeout: 20_000 }).toBeGreaterThan(index);
  const link = node.links[index];
  await link.next('hello');
  link.send({ type: 'welcome', node: NODE, name: 'mock', nodes: [node.origin, ...nodes] });
  return link;
}

/** No node makes a longer chunk. */
const CHUNK_BYTES_MAX = 1 << 20;

/** A product to compute from stored chunks: B in two chunks or more, A cut into blocks of some rows. */
export class StoredProduct {
  readonly a: Float64Array;
  readonly b: Float64Array;
  readonly chunks = new Map<string, Uint8Array>();
  private chunksOfB: { hash: string; rows: number }[] | null = null;

  constructor(
    readonly rows: number,
    readonly inner: number,
    readonly cols: number,
    fill: (rows: number, cols: number, seed: number) => Float64Array = sampleMatrix,
  ) {
    this.a = fill(rows, inner, 3);
    this.b = fill(inner, cols, 5);
  }

  /** The task for rows `start` … `start + count`. */
  task(block: number, start: number, count: number, job = JOB): Message {
    this.chunksOfB ??= this.cutB();
    return {
      job,
      block,
      row_start: start,
      rows: count,
      inner: this.inner,
      cols: this.cols,
      arithmetic: 'reproducible',
      a: { source: 'chunks', chunks: [this.chunk(this.a.subarray(start * this.inner, (start + count) * this.inner), count)] },
      b: { source: 'chunks', chunks: this.chunksOfB },
    } as unknown as Message;
  }

  private cutB(): { hash: string; rows: number }[] {
    const step = Math.min(Math.ceil(this.inner / 2), Math.max(1, Math.floor(CHUNK_BYTES_MAX / 8 / this.cols)));
    const starts = Array.from({ length: Math.ceil(this.inner / step) }, (_, index) => index * step);
    return starts.map((start) => {
      const end = Math.min(this.inner, start + step);
      return this.chunk(this.b.subarray(start * this.cols, end * this.cols), end - start);
    });
  }

  /** What the block's bytes must be. */
  product(start: number, count: number): Uint8Array {
    const a = this.a.subarray(start * this.inner, (start + count) * this.inner);
    return bytesOf(textbookProduct(a, this.b, count, this.inner, this.cols));
  }

  private chunk(part: Float64Array, rows: number): { hash: string; rows: number } {
    const bytes = bytesOf(part);
    const hash = blake3(bytes);
    this.chunks.set(hash, bytes);
    return { hash, rows };
  }

  /** Answers chunk requests from here on, as a node would. */
  serve(link: PageLink): void {
    const answer = ({ message }: Received) => {
      if (message.type === 'chunk_request') link.send({ type: 'chunk', hash: message.hash }, this.chunks.get(message.hash));
    };
    link.received.forEach(answer);
    link.onReceive = answer;
  }
}

/** A task whose factors are made from seeds. */
export function seededTask(block: number, rows: number, inner: number, cols: number, seedB = '7', job = JOB): Message {
  return {
    job,
    block,
    row_start: block * rows,
    rows,
    inner,
    cols,
    arithmetic: 'reproducible',
    a: { source: 'random', seed: '18446744073709551615', matrix_cols: inner, row_start: block * rows, col_start: 0 },
    b: { source: 'random', seed: seedB, matrix_cols: cols, row_start: 0, col_start: 0 },
  } as unknown as Message;
}

/** The result of a block, whichever place it has among the results. */
export function resultOf(link: PageLink, block: number): Promise<Received> {
  return link.find(({ message }) => message.type === 'result' && message.block === block, `the result of block ${block}`);
}

export function expectSameBits(got: Uint8Array, want: Uint8Array): void {
  expect(firstDifference(got, want)).toBeNull();
}

/** `window.matmesh.state` as it is now. */
export function stateOf(page: Page): Promise<any> {
  return page.evaluate(() => JSON.parse(JSON.stringify((window as any).matmesh.state)));
}
