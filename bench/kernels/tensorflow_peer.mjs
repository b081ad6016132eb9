// TensorFlow.js with its wasm backend (XNNPACK), f32, in a page. It is optional: `npm ci` in this folder brings it.
import { repeatedly } from "./time_wasm.mjs";

const packages = "./node_modules/@tensorflow/";
const core = `${packages}tfjs-core/dist/tf-core.min.js`;

/** Gives the contenders of a side; null where the packages are not installed. */
export async function startTensorflow(report) {
  if (!(await fetch(core, { method: "HEAD" })).ok) {
    await report("TensorFlow.js is left out: `npm ci` in bench/kernels brings it");
    return null;
  }
  // These files are no modules; they put all they have into the global `tf`.
  await import(core);
  await import(`${packages}tfjs-backend-wasm/dist/tf-backend-wasm.min.js`);
  const { tf } = globalThis;
  tf.wasm.setWasmPaths(`${packages}tfjs-backend-wasm/dist/`);
  if (!(await tf.setBackend("wasm"))) throw new Error("TensorFlow.js has no wasm backend here");
  const loaded = performance.getEntriesByType("resource").map(({ name }) => name.split("/").at(-1));
  await report(`TensorFlow.js ${tf.version_core}: ${loaded.filter((name) => /^tfjs.*wasm$/.test(name))}, f32`);
  return (left, right, side) => tensorflowContenders(tf, left, right, side);
}

/** The backend packs B in the first product and keeps it with the tensor of B: two contenders tell the two apart. */
function tensorflowContenders(tf, left, right, side) {
  const tensor = (entries) => tf.tensor2d(Float32Array.from(entries), [side, side]);
  const [leftTensor, rightTensor] = [tensor(left), tensor(right)];
  let product = null;
  const multiply = (factor) => {
    product?.dispose();
    product = tf.matMul(leftTensor, factor);
    // The backend computes at once. Asking for an entry holds it to that.
    tf.tidy(() => tf.slice(product, [0, 0], [1, 1]).dataSync());
  };
  return {
    "TensorFlow.js wasm, f32": {
      entryBytes: 4,
      turn(repeats) {
        const factors = Array.from({ length: repeats }, () => tensor(right));
        const seconds = repeatedly(repeats, (index) => multiply(factors[index]));
        tf.dispose(factors);
        return { seconds, product: product.dataSync() };
      },
    },
    "TensorFlow.js wasm, f32, B kept packed": {
      entryBytes: 4,
      turn(repeats) {
        const seconds = repeatedly(repeats, () => multiply(rightTensor));
        return { seconds, product: product.dataSync() };
      },
    },
  };
}
