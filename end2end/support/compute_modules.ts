// The two compute modules, as a node serves them: from the binary under test,
// or from a folder (COMPUTE_MODULES) while there is no binary yet.

import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { startNode } from './node_process';
import type { ComputeModules } from './mock_node';

const NAMES = ['simd.wasm', 'scalar.wasm'];

export async function computeModules(): Promise<ComputeModules> {
  const folder = process.env.COMPUTE_MODULES;
  if (folder) return gather((name) => readFile(path.join(folder, name)));
  const node = await startNode({ name: 'modules' });
  try {
    return await gather(async (name) => {
      const answer = await fetch(`${node.origin}/compute/${name}`);
      if (!answer.ok) throw new Error(`the node answers ${answer.status} for ${name}`);
      return Buffer.from(await answer.arrayBuffer());
    });
  } finally {
    await node.stop();
  }
}

async function gather(read: (name: string) => Promise<Buffer>): Promise<ComputeModules> {
  return Object.fromEntries(await Promise.all(NAMES.map(async (name) => [name, await read(name)] as const)));
}
