// Has both builds of worker/ made as a node serves them, and gives their bytes.
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { join } from "node:path";

const root = fileURLToPath(new URL("../..", import.meta.url));
const target = process.env.CARGO_TARGET_DIR ?? join(root, "target");

/** The server's build makes them (`server/build.rs`), and needs no more than a check of the server. */
export function buildWorker() {
  execFileSync("cargo", "check --quiet --package server".split(" "), {
    cwd: root,
    stdio: ["ignore", "inherit", "inherit"],
  });
  return { simd: finished("simd"), plain: finished("scalar") };
}

function finished(name) {
  return readFileSync(join(target, `compute-${name}`, "wasm32-unknown-unknown/compute/worker.finished.wasm"));
}
