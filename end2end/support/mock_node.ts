// A node without a mesh: serves the bridge's files and speaks the page's end of
// the protocol, so that each message can be sent, held back or broken at will.
// The frames are written out here a second time on purpose: a shared mistake
// would go unnoticed.

import { readFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { WebSocketServer, type WebSocket } from 'ws';

/** What `crates/wire` speaks. */
export const PROTOCOL_VERSION = 4;

const PUBLIC = path.resolve(import.meta.dirname, '../../public');
const MEDIA_TYPES: Record<string, string> = { '.js': 'text/javascript', '.wasm': 'application/wasm' };

export type Message = { type: string; [key: string]: any };
export type Received = { message: Message; payload: Uint8Array };
/** The compute modules by file name; one that is missing is answered with 404. */
export type ComputeModules = Record<string, Buffer>;

export class MockNode {
  readonly links: PageLink[] = [];
  /** Files of which it never sends a byte, by name. */
  readonly heldBack = new Set<string>();
  private readonly server: Server;
  private readonly sockets: WebSocketServer;

  private constructor(private readonly modules: ComputeModules) {
    this.server = createServer((request, response) => {
      if (this.heldBack.has(path.basename(request.url ?? ''))) return;
      // As a node answers, also to pages of the other nodes.
      response.setHeader('access-control-allow-origin', '*');
      response.setHeader('cache-control', 'no-cache');
      this.serve(request.url ?? '/').then(
        ({ type, body }) => response.writeHead(200, { 'content-type': type }).end(body),
        () => response.writeHead(404).end(),
      );
    });
    this.sockets = new WebSocketServer({ server: this.server, path: '/ws/worker' });
    this.sockets.on('connection', (socket) => this.links.push(new PageLink(socket)));
  }

  static async start(modules: ComputeModules, port = 0): Promise<MockNode> {
    const node = new MockNode(modules);
    await new Promise<void>((resolve) => node.server.listen(port, '127.0.0.1', resolve));
    return node;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  get origin(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Dies: every socket breaks, nothing answers any more. */
  async stop(): Promise<void> {
    for (const client of this.sockets.clients) client.terminate();
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private async serve(url: string): Promise<{ type: string; body: string | Buffer }> {
    const name = new URL(url, 'http://mock').pathname;
    if (name === '/healthz' || name === '/favicon.ico') return { type: 'text/plain', body: 'ok' };
    if (name === '/') {
      const body = '<!doctype html><html lang="en"><title>mock</title><script defer src="/compute-worker.js"></script></html>';
      return { type: 'text/html', body };
    }
    const module = this.modules[path.basename(name)];
    if (module) return { type: 'application/wasm', body: module };
    if (name.endsWith('.wasm') || name.includes('..')) throw new Error('no such file');
    return { type: MEDIA_TYPES[path.extname(name)], body: await readFile(path.join(PUBLIC, name)) };
  }
}

/** One page's socket, as its node sees it. */
export class PageLink {
  readonly received: Received[] = [];
  isOpen = true;
  /** Answers each message as it comes, where a test wants that. */
  onReceive: (received: Received) => void = () => {};
  private wake: () => void = () => {};

  constructor(private readonly socket: WebSocket) {
    socket.on('message', (data: Buffer) => {
      const received = decodeFrame(data);
      this.received.push(received);
      this.onReceive(received);
      this.wake();
    });
    socket.on('close', () => {
      this.isOpen = false;
      this.wake();
    });
  }

  send(message: Message, payload: Uint8Array = new Uint8Array(0)): void {
    this.socket.send(encodeFrame(message, payload));
  }

  sendRaw(bytes: Uint8Array): void {
    this.socket.send(bytes);
  }

  close(): void {
    this.socket.close();
  }

  ofType(type: string): Received[] {
    return this.received.filter(({ message }) => message.type === type);
  }

  /** Waits for the `count`-th message of a type. */
  next(type: string, count = 1): Promise<Received> {
    return this.find((received) => this.ofType(type)[count - 1] === received, `${type} number ${count}`);
  }

  /** Waits for the first message that `matches`. */
  async find(matches: (received: Received) => boolean, name: string, timeoutMs = 20_000): Promise<Received> {
    const deadline = Date.now() + timeoutMs;
    for (;;) {
      const found = this.received.find(matches);
      if (found) return found;
      const left = deadline - Date.now();
      if (left <= 0 || !this.isOpen) {
        const seen = this.received.map(({ message }) => message.type).join(' ');
        throw new Error(`no ${name}; the page sent: ${seen || 'nothing'}`);
      }
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left);
        this.wake = () => (clearTimeout(timer), resolve());
      });
    }
  }
}

function encodeFrame(message: Message, payload: Uint8Array): Buffer {
  const envelope = Buffer.from(JSON.stringify(message));
  const prefix = Buffer.alloc(8);
  prefix.writeUInt32LE(PROTOCOL_VERSION, 0);
  prefix.writeUInt32LE(envelope.length, 4);
  return Buffer.concat([prefix, envelope, payload]);
}

function decodeFrame(frame: Buffer): Received {
  if (frame.readUInt32LE(0) !== PROTOCOL_VERSION) throw new Error('the page speaks another protocol');
  const end = 8 + frame.readUInt32LE(4);
  return { message: JSON.parse(frame.subarray(8, end).toString()), payload: new Uint8Array(frame.subarray(end)) };
}
