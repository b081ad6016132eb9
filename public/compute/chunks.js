// Pieces of matrices by their hash: each crosses the network once for this
// page as long as there is room to keep it, however many need it.
//
// Here a chunk is bytes under a name. Whether the bytes deserve their name is
// checked by the thread that uses them, so that no hashing runs on the page.
//
// A wish is one use of a chunk: `{ hash, length, owner }`. Its owner has
// counted its bytes before it wishes; what nobody wishes is counted here.

// Kept for a thread or block that may still come, while nobody needs the room.
const UNUSED_BYTES_MAX = 16e6;

// Requests under way: enough to keep a Wi-Fi link busy with 1 MiB chunks (a node
// fetches four at once for a page), few enough that a dropped job's chunks are
// not still arriving a minute later.
const REQUESTS_MAX = 8;

/** `request(hash)` asks the node; `onArrived(owner)` is told that a chunk it wishes is here. */
export function createChunkStore({ request, onArrived, budget }) {
  // Used last comes last: the first ones are the first to go.
  const chunks = new Map();
  const waiting = []; // hashes to request, in order
  let requested = 0;
  let unusedBytes = 0;

  function advance() {
    while (requested < REQUESTS_MAX && waiting.length > 0) {
      const hash = waiting.shift();
      const chunk = chunks.get(hash);
      if (!chunk || chunk.bytes || chunk.isRequested) continue;
      chunk.isRequested = true;
      requested += 1;
      request(hash);
    }
  }

  function countUnused(bytes) {
    unusedBytes += bytes;
    budget.hold('unused chunks', unusedBytes);
  }

  function forget(hash, chunk) {
    chunks.delete(hash);
    if (chunk.isRequested) requested -= 1;
    if (chunk.wishes.size === 0) countUnused(-chunk.length);
  }

  /** Lets go of what nobody wishes, the longest unused first, until so many bytes are left. One on its way stays counted. */
  function makeRoom(bytes) {
    for (const [hash, chunk] of chunks) {
      if (budget.left() >= bytes) break;
      if (chunk.bytes && chunk.wishes.size === 0) forget(hash, chunk);
    }
    return budget.left() >= bytes;
  }

  /** This wish is over; the chunk stays, should somebody else wish it, if there is room. */
  function release(wish) {
    const chunk = chunks.get(wish.hash);
    if (!chunk || !chunk.wishes.delete(wish) || chunk.wishes.size > 0) return;
    const mayStay = chunk.bytes
      ? unusedBytes + chunk.length <= UNUSED_BYTES_MAX && budget.left() >= chunk.length
      : chunk.isRequested;
    if (mayStay) countUnused(chunk.length);
    else chunks.delete(wish.hash);
  }

  return {
    makeRoom,
    release,

    /** Bytes that `makeRoom` could still find. */
    left: () => budget.left() + unusedBytes,

    /** Begins to fetch a chunk, unless it is here already. */
    take(wish) {
      const { hash, length } = wish;
      let chunk = chunks.get(hash);
      if (!chunk) chunk = { bytes: null, length, isRequested: false, wishes: new Set() };
      else if (chunk.wishes.size === 0) countUnused(-length);
      chunks.delete(hash);
      chunks.set(hash, chunk);
      chunk.wishes.add(wish);
      if (!chunk.bytes && !chunk.isRequested) waiting.push(hash);
      advance();
    },

    isHere({ hash }) {
      const chunk = chunks.get(hash);
      return Boolean(chunk && chunk.bytes);
    },

    /** The bytes of a wished chunk that is here, to be given away: the last who wishes them gets them uncopied. */
    give(wish) {
      const { bytes } = chunks.get(wish.hash);
      release(wish);
      return chunks.has(wish.hash) ? bytes.slice() : bytes;
    },

    /** A chunk came: false when it is not as long as it should be. One that nobody asked for is not kept. */
    arrived(hash, bytes) {
      const chunk = chunks.get(hash);
      if (!chunk || !chunk.isRequested) return true;
      if (bytes.length !== chunk.length) return false;
      requested -= 1;
      chunk.isRequested = false;
      chunk.bytes = bytes;
      advance();
      for (const { owner } of [...chunk.wishes]) onArrived(owner);
      return true;
    },

    /** No holder has it, or its bytes were not what their hash says: who wished it? */
    failed(hash) {
      const chunk = chunks.get(hash);
      if (!chunk) return [];
      forget(hash, chunk);
      advance();
      return [...chunk.wishes].map(({ owner }) => owner);
    },

    /** A new link: what was asked for over the old one has to be asked for again, if anybody still wishes it. */
    requestAgain() {
      for (const [hash, chunk] of chunks) {
        if (!chunk.isRequested) continue;
        if (chunk.wishes.size > 0) request(hash);
        else forget(hash, chunk);
      }
      advance();
    },
  };
}
