// A list of more devices than are renewed in one frame. They are made up between the node and the page.

import { comesToLife, expect, test } from '../../support/mesh';
import { PROTOCOL_VERSION } from '../../support/mock_node';

const DEVICES = 70;
const id = (kind: string, number: number) => kind.repeat(8) + number.toString(16).padStart(24, '0');
const node = (number: number) => ({
  id: id('a', number), name: `laptop ${number}`, address: `192.0.2.${number}:8080`, status: 'alive', self: number === 1,
  cores: 8, mflops: 5000, operations: 10, device: 'processor', browsers: [],
});

function frame(news: object): Buffer {
  const [head, body] = [{ type: 'news' }, news].map((part) => Buffer.from(JSON.stringify(part)));
  const prefix = Buffer.alloc(8);
  prefix.writeUInt32LE(PROTOCOL_VERSION, 0);
  prefix.writeUInt32LE(head.length, 4);
  return Buffer.concat([prefix, head, body]);
}

test('every row is renewed, and the focus stays when a device comes', async ({ page, mesh }) => {
  let send: ((news: object) => void) | null = null;
  await page.routeWebSocket('**/ws/worker', (socket) => {
    socket.connectToServer().onMessage((message) => {
      const bytes = Buffer.from(message as Buffer);
      if (!bytes.subarray(8, 8 + bytes.readUInt32LE(4)).includes('"news"')) return socket.send(message);
      send = (news) => socket.send(frame({ path: '/nodes', ...news }));
    });
  });
  await page.goto(`${mesh.first.origin}/nodes`);
  await comesToLife(page);
  await expect.poll(() => send !== null).toBe(true);
  const nodes = Array.from({ length: DEVICES }, (_, number) => node(number + 1));
  send!({ is_whole: true, nodes });
  const rows = page.getByRole('row');
  await expect(rows).toHaveCount(1 + DEVICES);
  const link = page.getByRole('link', { name: '192.0.2.40:8080', exact: true });
  await link.focus();
  send!({ nodes: nodes.map((one, number) => ({ ...one, mflops: 6000 + number })) });
  for (const number of [0, 35, DEVICES - 1]) await expect(rows.nth(1 + number)).toContainText(`${6000 + number}.0`);
  send!({ nodes: [node(DEVICES + 1)] });
  await expect(rows).toHaveCount(2 + DEVICES);
  await expect(link).toBeFocused();
});
