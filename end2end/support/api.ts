// The interface over HTTP, as a script would use it.

import { readNpy } from './matrix';
import type { RealNode } from './node_process';

export type Contribution = {
  worker: string;
  kind: 'native' | 'browser';
  name: string;
  device: string;
  blocks: number;
  rows: number;
  operations: number;
  compute_ms: number;
  mflops: number | null;
};

export type Job = {
  id: string;
  status: 'running' | 'complete' | 'failed' | 'cancelled';
  rows: number;
  /** Number of its coordinator's epoch. */
  epoch: number;
  blocks: { total: number; pending: number; assigned: number; done: number };
  accepted_results: number;
  reassigned_blocks: number;
  rejected_results: number;
  contributions: Contribution[];
  error: string | null;
};

export type NodeOfMesh = {
  id: string;
  name: string;
  address: string;
  status: 'alive' | 'suspect' | 'unreachable';
  self: boolean;
  mflops: number;
  browsers: { id: string; device: string; threads: number; mflops: number; visible: boolean }[];
};

type MatrixInput = { rows: number; cols: number; data?: number[]; random?: { seed: number } };

/** A random matrix's description. */
export const random = (rows: number, cols: number, seed: number): MatrixInput => ({ rows, cols, random: { seed } });

export class Api {
  constructor(readonly node: RealNode) {}

  async submit(a: MatrixInput, b: MatrixInput, options: object = {}): Promise<Job> {
    const answer = await fetch(`${this.node.origin}/api/v1/jobs`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ a, b, options }),
    });
    return read(answer, 202);
  }

  async job(id: string): Promise<Job> {
    return read(await fetch(`${this.node.origin}/api/v1/jobs/${id}`));
  }

  /** The job once it has ended, or after 30 s. */
  async ended(id: string): Promise<Job> {
    return read(await fetch(`${this.node.origin}/api/v1/jobs/${id}?wait=30`));
  }

  async nodes(): Promise<NodeOfMesh[]> {
    return read(await fetch(`${this.node.origin}/api/v1/nodes`));
  }

  /** Ids of all pages that compute, through whichever node. */
  async browsers(): Promise<string[]> {
    return (await this.nodes()).flatMap((node) => node.browsers.map((browser) => browser.id));
  }

  /** The result as an NPY file. */
  async result(id: string): Promise<{ rows: number; cols: number; bytes: Uint8Array }> {
    const answer = await fetch(`${this.node.origin}/api/v1/jobs/${id}/result?format=npy`);
    if (answer.status !== 200) throw new Error(`${answer.status}: ${await answer.text()}`);
    return readNpy(new Uint8Array(await answer.arrayBuffer()));
  }
}

async function read<T>(answer: Response, expected = 200): Promise<T> {
  const text = await answer.text();
  if (answer.status !== expected) throw new Error(`${answer.url} answers ${answer.status}: ${text}`);
  return JSON.parse(text) as T;
}
