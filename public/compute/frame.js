// Frames: the bytes of one message between this page and its node.
//
// Layout: protocol version u32, length of the envelope u32, both
// little-endian; the envelope, JSON; then the raw bytes of a matrix (f64,
// little-endian, row-major) to the end of the frame. The node's side of this
// page is crates/wire/src/frame.rs.

/** Rises with every change that an older node would misread. */
export const PROTOCOL_VERSION = 4;

/** No frame is longer, in either direction. */
export const FRAME_BYTES_MAX = 4 << 20;

const PREFIX_BYTES = 8;
const NOTHING = new Uint8Array(0);

/** The frame of `message` with `payload` (a Uint8Array) behind it. */
export function encodeFrame(message, payload = NOTHING) {
  const envelope = new TextEncoder().encode(JSON.stringify(message));
  const frame = new Uint8Array(PREFIX_BYTES + envelope.length + payload.length);
  const prefix = new DataView(frame.buffer);
  prefix.setUint32(0, PROTOCOL_VERSION, true);
  prefix.setUint32(4, envelope.length, true);
  frame.set(envelope, PREFIX_BYTES);
  frame.set(payload, PREFIX_BYTES + envelope.length);
  return frame;
}

/** The message and payload of a frame (an ArrayBuffer); throws when it is none. */
export function decodeFrame(frame) {
  if (!(frame instanceof ArrayBuffer)) throw new Error('a frame is binary');
  if (frame.byteLength < PREFIX_BYTES) throw new Error('the frame ends within its prefix');
  const prefix = new DataView(frame);
  const version = prefix.getUint32(0, true);
  if (version !== PROTOCOL_VERSION) throw new Error(`the frame speaks protocol ${version}`);
  const length = prefix.getUint32(4, true);
  if (PREFIX_BYTES + length > frame.byteLength) throw new Error('the frame ends within its envelope');
  const message = JSON.parse(new TextDecoder().decode(new Uint8Array(frame, PREFIX_BYTES, length)));
  if (message === null || typeof message !== 'object') throw new Error('the envelope is no message');
  // A view: a copy of a chunk would be counted nowhere, and the envelope in
  // front of it is short.
  return { message, payload: new Uint8Array(frame, PREFIX_BYTES + length) };
}
