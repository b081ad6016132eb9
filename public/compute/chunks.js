// Pieces of matrices by their hash: each crosses the network once for this
// page, however many blocks and threads need it.
//
// Here a chunk is bytes under a name. Whether the bytes deserve their name is
// checked by the thread that uses them, so that no hashing runs on the page.

// What may be held at once; a phone's browser ends a tab that holds much more.
const BYTES_MAX = 256 << 20;

// Requests under way: enough to keep a Wi-Fi link busy with 1 MiB chunks (a node
// fetches four at once for a page), few enough that a dropped job's chunks are
// not still arriving a minute later.
const REQUESTS_MAX = 8;

/**
 * `request(hash)` asks the node. A user is any object with `chunks`, a Map
 * from hash to bytes' length; `onReady(user)` is told when all of its chunks
 * are here.
 */
export function createChunkStore({ request, onReady }) {
  // Used last comes last: the first ones are the first to go.
  const chunks = new Map();
  const waiting = []; // hashes to request, in order
  let requested = 0;
  let heldBytes = 0;
  let neededBytes = 0; // of chunks that some user needs, here or not

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

  function forget(hash) {
    const chunk = chunks.get(hash);
    if (!chunk) return;
    chunks.delete(hash);
    if (chunk.bytes) heldBytes -= chunk.length;
    else if (chunk.isRequested) requested -= 1;
  }

  /** Lets go of what nobody needs, the longest unused first. */
  function trim() {
    for (const [hash, chunk] of chunks) {
      if (heldBytes <= BYTES_MAX) return;
      if (chunk.users.size === 0) forget(hash);
    }
  }

  function isReady(user) {
    return [...user.chunks.keys()].every((hash) => chunks.get(hash).bytes);
  }

  return {
    /** No user may need more than this at once. */
    bytesMax: BYTES_MAX,

    /** Begins to fetch what `user` needs; false when there is no room for it yet. */
    take(user) {
      let added = 0;
      for (const [hash, length] of user.chunks) {
        const chunk = chunks.get(hash);
        if (!chunk || chunk.users.size === 0) added += length;
      }
      if (neededBytes > 0 && neededBytes + added > BYTES_MAX) return false;
      neededBytes += added;
      for (const [hash, length] of user.chunks) {
        const chunk = chunks.get(hash) || { bytes: null, length, isRequested: false, users: new Set(), jobs: new Set() };
        chunks.delete(hash);
        chunks.set(hash, chunk);
        chunk.users.add(user);
        chunk.jobs.add(user.task.job);
        if (!chunk.bytes && !chunk.isRequested) waiting.push(hash);
      }
      advance();
      if (isReady(user)) onReady(user);
      return true;
    },

    /** `user` needs nothing any more: it was computed, or given back. */
    release(user) {
      for (const hash of user.chunks.keys()) {
        const chunk = chunks.get(hash);
        if (!chunk || !chunk.users.delete(user) || chunk.users.size > 0) continue;
        neededBytes -= chunk.length;
        if (!chunk.bytes) forget(hash);
      }
      trim();
      advance();
    },

    /** The bytes of a chunk that a ready user needs. */
    bytes: (hash) => chunks.get(hash).bytes,

    /** A chunk came: false when it is not as long as its users expect. One that nobody asked for is not kept. */
    arrived(hash, bytes) {
      const chunk = chunks.get(hash);
      if (!chunk || !chunk.isRequested) return true;
      if (bytes.length !== chunk.length) return false;
      requested -= 1;
      chunk.isRequested = false;
      chunk.bytes = bytes;
      heldBytes += chunk.length;
      trim();
      advance();
      for (const user of [...chunk.users]) if (isReady(user)) onReady(user);
      return true;
    },

    /** No holder has it, or its bytes were not what their hash says: who needed it? */
    failed(hash) {
      const chunk = chunks.get(hash);
      if (!chunk) return [];
      const users = [...chunk.users];
      if (users.length > 0) neededBytes -= chunk.length;
      chunk.users.clear();
      forget(hash);
      advance();
      return users;
    },

    /** A new link: what was asked for over the old one has to be asked for again. */
    requestAgain() {
      for (const [hash, chunk] of chunks) if (chunk.isRequested) request(hash);
    },

    /** The job ended: what only it needed is let go. */
    endJob(job) {
      for (const [hash, chunk] of chunks) {
        chunk.jobs.delete(job);
        if (chunk.jobs.size === 0 && chunk.users.size === 0) forget(hash);
      }
    },
  };
}
