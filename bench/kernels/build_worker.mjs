// Builds worker/ twice and gives the bytes of both modules.
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { join } from "node:path";

const root = fileURLToPath(new URL("../..", import.meta.url));

export function buildWorker() {
  // The flags of server/build.rs, which says why.
  const simd = "-Ctarget-feature=+simd128 -Cllvm-args=-disable-lsr";
  return { simd: build(simd, "simd"), plain: build("", "plain") };
}

function build(flags, name) {
  const target = join(process.env.CARGO_TARGET_DIR ?? join(root, "target"), `compute-${name}`);
  const words = "build --quiet -p worker --target wasm32-unknown-unknown --profile compute";
  execFileSync("cargo", words.split(" "), {
    cwd: root,
    env: { ...process.env, RUSTFLAGS: flags, CARGO_TARGET_DIR: target },
    stdio: ["ignore", "inherit", "inherit"],
  });
  return readFileSync(join(target, "wasm32-unknown-unknown/compute/worker.wasm"));
}
