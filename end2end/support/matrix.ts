// What a product must be: the textbook triple loop, summed in the order of k.

/** C = A · B, row-major; rows × inner times inner × cols. */
export function textbookProduct(a: Float64Array, b: Float64Array, rows: number, inner: number, cols: number): Float64Array {
  const c = new Float64Array(rows * cols);
  for (let i = 0; i < rows; i += 1) {
    for (let j = 0; j < cols; j += 1) {
      let sum = 0;
      for (let k = 0; k < inner; k += 1) sum += a[i * inner + k] * b[k * cols + j];
      c[i * cols + j] = sum;
    }
  }
  return c;
}

/** Entries with awkward fractions of both signs, always the same ones for one seed. */
export function sampleMatrix(rows: number, cols: number, seed: number): Float64Array {
  let state = seed >>> 0 || 1;
  return Float64Array.from({ length: rows * cols }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state / 2 ** 32 - 0.5) * 7.3;
  });
}

/** The bytes of a matrix as they travel: little-endian f64. */
export function bytesOf(matrix: Float64Array): Uint8Array {
  return new Uint8Array(matrix.buffer, matrix.byteOffset, matrix.byteLength);
}

/** The first entry whose bits differ, for a message that helps; null when there is none. */
export function firstDifference(got: Uint8Array, want: Uint8Array): string | null {
  if (got.length !== want.length) return `${got.length} bytes instead of ${want.length}`;
  const at = got.findIndex((byte, index) => byte !== want[index]);
  if (at < 0) return null;
  const entry = Math.floor(at / 8);
  const read = (bytes: Uint8Array) => new DataView(bytes.buffer, bytes.byteOffset).getFloat64(8 * entry, true);
  return `entry ${entry} is ${read(got)} instead of ${read(want)}`;
}

/** Shape and entries of an NPY file of f8 in C order, which is what a node writes. */
export function readNpy(file: Uint8Array): { rows: number; cols: number; bytes: Uint8Array } {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const isFirstVersion = file[6] === 1;
  const headerLength = isFirstVersion ? view.getUint16(8, true) : view.getUint32(8, true);
  const headerStart = isFirstVersion ? 10 : 12;
  const header = new TextDecoder().decode(file.subarray(headerStart, headerStart + headerLength));
  const shape = /'shape': \((\d+), (\d+)\)/.exec(header);
  if (!shape || !header.includes("'<f8'") || !header.includes("'fortran_order': False")) throw new Error(`unexpected header ${header}`);
  return { rows: Number(shape[1]), cols: Number(shape[2]), bytes: file.subarray(headerStart + headerLength) };
}
