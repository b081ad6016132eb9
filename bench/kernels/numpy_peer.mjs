// NumPy's OpenBLAS in a process that lives as long as the run: a library starts once, then it is asked in its turns.
import { spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const target = process.env.CARGO_TARGET_DIR ?? fileURLToPath(new URL("../../target", import.meta.url));

/** The python that has NumPy: PYTHON, or the one that `cargo xtask bench` makes. */
const python = process.env.PYTHON ?? join(target, "bench/venv/bin/python");

export class NumpyPeer {
  /** Nothing where there is no NumPy. */
  static async start() {
    const script = fileURLToPath(new URL("numpy_times.py", import.meta.url));
    const child = spawn(python, [script], { stdio: ["pipe", "pipe", "ignore"] });
    child.on("error", () => {});
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    const { value: version } = await lines.next();
    return version === undefined ? null : new NumpyPeer(child, lines, version);
  }

  constructor(child, lines, version) {
    this.child = child;
    this.lines = lines;
    this.version = version;
  }

  /** Seconds of one product, the mean of `repeats`. */
  async time(side, repeats) {
    this.child.stdin.write(`${side} ${repeats}\n`);
    const { value: seconds } = await this.lines.next();
    if (seconds === undefined) throw new Error("NumPy's process ended");
    return Number(seconds);
  }

  end() {
    this.child.stdin.end();
  }
}
