// NumPy's random matrices in plain JavaScript: Philox4x64-10, exactly
// `np.random.Generator(np.random.Philox(key=seed)).random((rows, cols))`.
//
// Source: Salmon et al., "Parallel random numbers: as easy as 1, 2, 3" (2011).
// BigInt makes it short and slow; only browsers without WebAssembly come here.
'use strict';

(() => {
  const ROUNDS = 10;
  const MASK = 0xffff_ffff_ffff_ffffn;
  const MULTIPLIER_0 = 0xd2e7_470e_e14c_6c93n;
  const MULTIPLIER_1 = 0xca5a_8263_9512_1157n;
  const WEYL_0 = 0x9e37_79b9_7f4a_7c15n;
  const WEYL_1 = 0xbb67_ae85_84ca_a73bn;

  /** Four 64-bit numbers for one counter (its upper three words are zero) under `key` (its upper word is zero). */
  function philox(counter, key) {
    let [x0, x1, x2, x3] = [counter & MASK, counter >> 64n, 0n, 0n];
    let [key0, key1] = [key, 0n];
    for (let round = 0; round < ROUNDS; round += 1) {
      const product0 = MULTIPLIER_0 * x0;
      const product1 = MULTIPLIER_1 * x2;
      [x0, x1, x2, x3] = [
        (product1 >> 64n) ^ x1 ^ key0,
        product1 & MASK,
        (product0 >> 64n) ^ x3 ^ key1,
        product0 & MASK,
      ];
      key0 = (key0 + WEYL_0) & MASK;
      key1 = (key1 + WEYL_1) & MASK;
    }
    return [x0, x1, x2, x3];
  }

  /** Rows × cols of the matrix under `seed` that is `matrixCols` wide, from a corner on; row-major. */
  self.fillSeeded = function fillSeeded({ seed, matrix_cols, row_start, col_start }, rows, cols) {
    const key = BigInt(seed) & MASK;
    const values = new Float64Array(rows * cols);
    let drawn = -1;
    let lanes = null;
    for (let row = 0; row < rows; row += 1) {
      // Entries are counted in row-major order over the whole matrix; their
      // number stays below 2^53, so plain numbers count them exactly.
      const first = (row_start + row) * matrix_cols + col_start;
      for (let col = 0; col < cols; col += 1) {
        const entry = first + col;
        const group = Math.floor(entry / 4);
        if (group !== drawn) {
          // NumPy counts up before it draws, so the first counter is 1.
          lanes = philox(BigInt(group) + 1n, key);
          drawn = group;
        }
        values[row * cols + col] = Number(lanes[entry % 4] >> 11n) * 2 ** -53;
      }
    }
    return values;
  };
})();
