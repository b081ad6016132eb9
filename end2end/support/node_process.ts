// Real nodes: started as a person starts them, on a port and in a folder of
// their own, and stopped by their own process id.

import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

const BINARY = process.env.MATMESH_BINARY ?? path.resolve(import.meta.dirname, '../../target/release/matmesh');
const START_MS_MAX = 20_000;
const GOODBYE_MS_MAX = 10_000;

export type NodeOptions = {
  name: string;
  /** Nodes to link to at start. */
  peers?: RealNode[];
  /** Further command-line options. */
  options?: string[];
};

export class RealNode {
  private readonly stderr: string[] = [];

  constructor(
    readonly name: string,
    private readonly process: ChildProcess,
    private readonly folder: string,
    /** What the start line said. */
    public origin = '',
    public shortId = '',
  ) {}

  get address(): string {
    return new URL(this.origin).host;
  }

  get hasExited(): boolean {
    return this.process.exitCode !== null || this.process.signalCode !== null;
  }

  /** Its log so far, for a failed test. */
  log(): string {
    return this.stderr.join('');
  }

  collect(text: string): void {
    this.stderr.push(text);
    if (this.stderr.length > 2000) this.stderr.splice(0, 1000);
  }

  /** Switches the node off as a broken cable would: no goodbye. */
  async kill(): Promise<void> {
    await this.end('SIGKILL', GOODBYE_MS_MAX);
  }

  /** Stops the node as Ctrl-C does, then harder, and removes its folder. */
  async stop(): Promise<void> {
    if (!(await this.end('SIGTERM', GOODBYE_MS_MAX))) await this.kill();
    await rm(this.folder, { recursive: true, force: true });
  }

  private async end(signal: NodeJS.Signals, waitMs: number): Promise<boolean> {
    if (this.hasExited) return true;
    const exited = new Promise<boolean>((resolve) => this.process.once('exit', () => resolve(true)));
    this.process.kill(signal);
    let timer: NodeJS.Timeout | undefined;
    const patience = new Promise<boolean>((resolve) => (timer = setTimeout(() => resolve(false), waitMs)));
    const hasEnded = await Promise.race([exited, patience]);
    clearTimeout(timer);
    return hasEnded;
  }
}

/** Starts a node and waits until it listens. */
export async function startNode({ name, peers = [], options = [] }: NodeOptions): Promise<RealNode> {
  if (!existsSync(BINARY)) throw new Error(`no node to test at ${BINARY}: build it, or set MATMESH_BINARY`);
  const folder = await mkdtemp(path.join(tmpdir(), 'matmesh-end2end-'));
  const args = ['serve', '--port', '0', '--bind', '127.0.0.1', '--discovery', 'off', '--data-dir', folder, '--name', name];
  for (const peer of peers) args.push('--peer', peer.address);
  const child = spawn(BINARY, [...args, ...options], { stdio: ['ignore', 'pipe', 'pipe'] });
  const node = new RealNode(name, child, folder);
  child.stderr.setEncoding('utf8').on('data', (text: string) => node.collect(text));
  try {
    const line = await startLine(child);
    node.origin = line.origin;
    node.shortId = line.shortId;
    return node;
  } catch (error) {
    await node.stop();
    throw new Error(`${name} did not start: ${(error as Error).message}\n${node.log()}`);
  }
}

function startLine(child: ChildProcess): Promise<{ origin: string; shortId: string }> {
  return new Promise((resolve, reject) => {
    let text = '';
    const timer = setTimeout(() => reject(new Error('no start line')), START_MS_MAX);
    child.once('error', reject);
    child.once('exit', (code) => reject(new Error(`exit code ${code}`)));
    child.stdout!.setEncoding('utf8').on('data', (part: string) => {
      text += part;
      const found = /^matmesh listening on (http:\/\/\S+) node=([0-9a-f]{8})$/m.exec(text);
      if (!found) return;
      clearTimeout(timer);
      resolve({ origin: found[1].replace('0.0.0.0', '127.0.0.1'), shortId: found[2] });
    });
  });
}
