// The socket to a node: opens it, keeps it open, and when its node is gone
// finds another node of the mesh.
//
// It knows nothing of tasks: what a message means is the contributor's.

import { decodeFrame, encodeFrame } from './frame.js';

const DELAY_MS_MIN = 200;
const DELAY_MS_MAX = 3000;

// After so many failures the node counts as gone and others are asked. The
// mesh keeps this device's blocks for 2 s; both tries are over long before.
const FAILURES_BEFORE_OTHERS = 2;

// A machine that was switched off answers nothing at all, not even a refusal.
const CONNECT_MS_MAX = 3000;
const SILENCE_MS_MAX = 5000;
const PROBE_MS_MAX = 3000;

// More addresses than a person's house has; a longer list is cut.
const NODES_MAX = 64;

/**
 * `onOpen` says hello through `send`; `onMessage` gets each message and its
 * payload, and calls `welcomed` when the node has answered; `onLost` is told
 * once for each link that had been welcomed.
 */
export function createLink({ onOpen, onMessage, onLost }) {
  const home = location.origin;
  let others = [];
  let address = home; // where the socket leads, or led last
  let lostAddress = home; // the node that failed us: asked again after all others
  let failures = 0;
  let socket = null;
  let isWelcomed = false;
  let retryTimer = null;
  let connectTimer = null;
  let heardAt = 0;
  let isProbing = false;

  function open() {
    clearTimeout(retryTimer);
    retryTimer = null;
    address = nextAddress();
    const opening = connect();
    if (!opening) return fail();
    socket = opening;
    socket.binaryType = 'arraybuffer';
    connectTimer = setTimeout(lose, CONNECT_MS_MAX);
    socket.onopen = () => {
      if (opening !== socket) return;
      heardAt = performance.now();
      onOpen();
    };
    socket.onmessage = (event) => opening === socket && receive(event.data);
    socket.onclose = () => opening === socket && lose();
  }

  function connect() {
    const url = new URL('/ws/worker', address);
    url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
    try {
      return new WebSocket(url.href);
    } catch {
      return null; // an https page may not open a plain socket elsewhere
    }
  }

  function nextAddress() {
    if (failures < FAILURES_BEFORE_OTHERS) return lostAddress;
    const ring = ringOfNodes();
    return ring[(failures - FAILURES_BEFORE_OTHERS) % ring.length];
  }

  /** Every address worth a try: the one that failed comes last. */
  function ringOfNodes() {
    const all = [home, ...others].filter((candidate) => candidate !== lostAddress);
    return [...new Set(all), lostAddress];
  }

  /** Quick for the first round through all nodes, then slower and slower. */
  function delay() {
    const tries = failures - FAILURES_BEFORE_OTHERS;
    const rounds = tries < 0 ? failures - 1 : Math.floor(tries / ringOfNodes().length);
    return Math.min(DELAY_MS_MAX, DELAY_MS_MIN * 2 ** Math.max(0, rounds));
  }

  function receive(data) {
    heardAt = performance.now();
    let frame;
    try {
      frame = decodeFrame(data);
    } catch (error) {
      warnOnce('frame', `a frame was ignored: ${error.message}`);
      return;
    }
    onMessage(frame.message, frame.payload);
  }

  /** This link is over, whichever side found out. */
  function lose() {
    const wasWelcomed = isWelcomed;
    close();
    if (wasWelcomed) {
      lostAddress = address;
      onLost();
    }
    fail();
  }

  function fail() {
    failures += 1;
    retryTimer = setTimeout(open, delay());
  }

  function close() {
    clearTimeout(connectTimer);
    isWelcomed = false;
    const closing = socket;
    socket = null; // so that its late events are nobody's
    if (closing) closing.close();
  }

  /** A switched-off node leaves its socket open here for minutes. So: when nothing was heard for long, look. */
  async function watch() {
    if (!isWelcomed || isProbing || performance.now() - heardAt < SILENCE_MS_MAX) return;
    const watched = socket;
    const stop = new AbortController();
    const timer = setTimeout(() => stop.abort(), PROBE_MS_MAX);
    isProbing = true;
    try {
      // `no-cors`: whether an answer comes is all that is asked.
      await fetch(address + '/healthz', { mode: 'no-cors', cache: 'no-store', signal: stop.signal });
      heardAt = performance.now();
    } catch {
      if (watched === socket) lose();
    } finally {
      clearTimeout(timer);
      isProbing = false;
    }
  }

  /** A person is back, or the network: no need to wait any longer. */
  function hurry() {
    if (retryTimer !== null) open();
    else watch();
  }

  setInterval(watch, SILENCE_MS_MAX / 2);
  window.addEventListener('online', hurry);
  window.addEventListener('pageshow', (event) => event.persisted && hurry());
  document.addEventListener('visibilitychange', () => document.visibilityState === 'visible' && hurry());
  open();

  return {
    /** True when the message left; false without an open link. */
    send(message, payload) {
      if (!socket || socket.readyState !== WebSocket.OPEN) return false;
      socket.send(encodeFrame(message, payload));
      return true;
    },
    /** Whether all that was sent has left this page. */
    isClear: () => Boolean(socket) && socket.bufferedAmount === 0,
    /** The node answered the hello: only now the link counts as made. */
    welcomed() {
      clearTimeout(connectTimer);
      isWelcomed = true;
      failures = 0;
      lostAddress = address;
    },
    /** Addresses of live nodes, as a node tells them. */
    setNodes(nodes) {
      others = (Array.isArray(nodes) ? nodes : []).slice(0, NODES_MAX).map(originOf).filter(Boolean);
    },
    /** Closes the link and opens it anew at once. */
    restart() {
      close();
      open();
    },
    /** The node this page is linked to, as an address. */
    address: () => address,
  };
}

function originOf(text) {
  try {
    const url = new URL(text);
    return /^https?:$/.test(url.protocol) ? url.origin : null;
  } catch {
    return null;
  }
}

const warned = new Set();

/** One line for each kind of oddity: a hostile node cannot fill the console. */
export function warnOnce(kind, text) {
  if (warned.has(kind) || warned.size > 20) return;
  warned.add(kind);
  console.warn(`matmesh: ${text}`);
}
