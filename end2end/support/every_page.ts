// Every page of a node, with what it is known by.

import { random } from './api';
import type { Mesh } from './mesh';

export const PAGES = [
  { path: '/', heading: 'New multiplication' },
  { path: '/jobs', heading: 'Jobs' },
  { path: '/jobs/SMALL', heading: /^Job/ },
  { path: '/jobs/LARGE', heading: /^Job/ },
  { path: '/nodes', heading: 'Nodes' },
  { path: '/contribution', heading: 'My Node Contribution' },
];

/** The page's address, its jobs computed and filled in. */
export async function addressOf({ path }: { path: string }, { api }: Mesh): Promise<string> {
  const side = path.includes('SMALL') ? 15 : 500;
  const { id } = await api.submit(random(side, side, 1), random(side, side, 2));
  await api.ended(id);
  return api.node.origin + path.replace(/SMALL|LARGE/, id);
}
