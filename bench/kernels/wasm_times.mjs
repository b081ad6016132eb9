// node bench/kernels/wasm_times.mjs [n ...]              in node (default 512 1000)
// node bench/kernels/wasm_times.mjs --chromium [n ...]   in headless Chromium, in a page
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildWorker } from "./build_worker.mjs";
import { timeWasm } from "./time_wasm.mjs";

const words = process.argv.slice(2);
const isPage = words[0] === "--chromium";
const sides = words.slice(isPage ? 1 : 0).map(Number);
if (sides.length === 0) sides.push(512, 1000);
const modules = buildWorker();
if (isPage) {
  console.log(await timeInPage());
} else {
  console.log(`node ${process.version}`);
  await timeWasm(modules, sides, console.log);
}

/** Serves the page, opens it, and waits until it posts its lines. */
async function timeInPage() {
  let finish;
  const report = new Promise((resolve) => { finish = resolve; });
  const server = createServer((request, response) => answer(request, response, finish));
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = `http://127.0.0.1:${server.address().port}/wasm_times.html?sides=${sides}`;
  const profile = mkdtempSync(join(tmpdir(), "wasm-times-"));
  const browser = spawn(process.env.CHROMIUM ?? "/usr/bin/chromium", [
    "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", `--user-data-dir=${profile}`,
    "--remote-debugging-port=0", address,
  ], { stdio: "ignore" });
  const ended = new Promise((resolve) => browser.on("exit", resolve));
  const failed = ended.then((code) => `the browser ended with ${code}`);
  const lines = await Promise.race([report, failed]);
  browser.kill();
  await ended;
  server.close();
  rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
  return lines;
}

async function answer(request, response, finish) {
  const path = new URL(request.url, "http://localhost").pathname.slice(1);
  const types = { html: "text/html", mjs: "text/javascript", wasm: "application/wasm" };
  if (path === "report") {
    let text = `${request.headers["user-agent"]}\n`;
    for await (const piece of request) text += piece;
    response.end();
    finish(text);
  } else if (path === "simd.wasm" || path === "plain.wasm") {
    response.setHeader("Content-Type", types.wasm);
    response.end(modules[path.slice(0, -5)]);
  } else if (["wasm_times.html", "time_wasm.mjs", "worker_module.mjs"].includes(path)) {
    response.setHeader("Content-Type", types[path.split(".").at(-1)]);
    response.end(readFileSync(new URL(path, import.meta.url)));
  } else {
    response.statusCode = 404;
    response.end();
  }
}
