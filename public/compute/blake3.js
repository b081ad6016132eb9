// BLAKE3 in plain JavaScript, for browsers without WebAssembly: plain-http
// pages have no Web Crypto either, and a chunk is never used unchecked.
//
// Source: the BLAKE3 paper (O'Connor, Aumasson, Neves, Wilcox-O'Hearn, 2020),
// sections 2.2 to 2.5; the names are the paper's.
'use strict';

(() => {
  const IV = [
    0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
  ];
  const PERMUTATION = [2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8];
  const CHUNK_BYTES = 1024;
  const BLOCK_BYTES = 64;
  const ROUNDS = 7;
  const CHUNK_START = 1;
  const CHUNK_END = 2;
  const PARENT = 4;
  const ROOT = 8;

  // Which word of the block each round mixes in where: the permutation, applied round after round.
  const SCHEDULE = [PERMUTATION.map((_, index) => index)];
  for (let round = 1; round < ROUNDS; round += 1) {
    SCHEDULE.push(PERMUTATION.map((index) => SCHEDULE[round - 1][index]));
  }

  const v = new Int32Array(16);

  function rotate(word, bits) {
    return (word >>> bits) | (word << (32 - bits));
  }

  function mix(a, b, c, d, x, y) {
    v[a] = v[a] + v[b] + x;
    v[d] = rotate(v[d] ^ v[a], 16);
    v[c] = v[c] + v[d];
    v[b] = rotate(v[b] ^ v[c], 12);
    v[a] = v[a] + v[b] + y;
    v[d] = rotate(v[d] ^ v[a], 8);
    v[c] = v[c] + v[d];
    v[b] = rotate(v[b] ^ v[c], 7);
  }

  /** The compression function: the first eight words of its output. */
  function compress(chaining, words, counter, length, flags) {
    for (let i = 0; i < 8; i += 1) v[i] = chaining[i];
    for (let i = 0; i < 4; i += 1) v[8 + i] = IV[i];
    // Two halves of a 64-bit counter; inputs here are far below 2^53 bytes.
    v[12] = counter;
    v[13] = Math.floor(counter / 2 ** 32);
    v[14] = length;
    v[15] = flags;
    for (const order of SCHEDULE) {
      mix(0, 4, 8, 12, words[order[0]], words[order[1]]);
      mix(1, 5, 9, 13, words[order[2]], words[order[3]]);
      mix(2, 6, 10, 14, words[order[4]], words[order[5]]);
      mix(3, 7, 11, 15, words[order[6]], words[order[7]]);
      mix(0, 5, 10, 15, words[order[8]], words[order[9]]);
      mix(1, 6, 11, 12, words[order[10]], words[order[11]]);
      mix(2, 7, 8, 13, words[order[12]], words[order[13]]);
      mix(3, 4, 9, 14, words[order[14]], words[order[15]]);
    }
    return Array.from({ length: 8 }, (_, i) => v[i] ^ v[i + 8]);
  }

  /** Up to 1024 bytes: a leaf of the tree. */
  function compressChunk(bytes, counter, rootFlag) {
    let chaining = IV;
    const blocks = Math.max(1, Math.ceil(bytes.length / BLOCK_BYTES));
    for (let block = 0; block < blocks; block += 1) {
      const part = bytes.subarray(block * BLOCK_BYTES, (block + 1) * BLOCK_BYTES);
      const padded = new Uint8Array(BLOCK_BYTES);
      padded.set(part);
      const view = new DataView(padded.buffer);
      const words = Array.from({ length: 16 }, (_, i) => view.getInt32(4 * i, true));
      let flags = block === 0 ? CHUNK_START : 0;
      if (block === blocks - 1) flags |= CHUNK_END | rootFlag;
      chaining = compress(chaining, words, counter, part.length, flags);
    }
    return chaining;
  }

  /** A tree over `bytes`: its left half is the largest power of two of whole chunks that leaves something right. */
  function compressTree(bytes, firstChunk, rootFlag) {
    if (bytes.length <= CHUNK_BYTES) return compressChunk(bytes, firstChunk, rootFlag);
    let leftChunks = 1;
    while (2 * leftChunks * CHUNK_BYTES < bytes.length) leftChunks *= 2;
    const cut = leftChunks * CHUNK_BYTES;
    const left = compressTree(bytes.subarray(0, cut), firstChunk, 0);
    const right = compressTree(bytes.subarray(cut), firstChunk + leftChunks, 0);
    return compress(IV, [...left, ...right], 0, BLOCK_BYTES, PARENT | rootFlag);
  }

  /** The BLAKE3 hash of a Uint8Array, as 64 hexadecimal digits. */
  self.blake3 = function blake3(bytes) {
    const hash = new DataView(new ArrayBuffer(32));
    compressTree(bytes, 0, ROOT).forEach((word, i) => hash.setInt32(4 * i, word, true));
    return Array.from(new Uint8Array(hash.buffer), (byte) => byte.toString(16).padStart(2, '0')).join('');
  };
})();
