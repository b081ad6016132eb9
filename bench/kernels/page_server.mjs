// Serves wasm_times.html and what it loads to a headless Chromium, and prints the lines that the page reports.
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";

const types = { html: "text/html", mjs: "text/javascript", js: "text/javascript", wasm: "application/wasm" };

/** Gives what failed, or nothing. */
export async function timeInPage(modules, sides, numpy) {
  let finish;
  const finished = new Promise((resolve) => { finish = resolve; });
  const server = createServer((request, response) => answer(request, response, { modules, numpy, finish }));
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const query = `sides=${sides}${numpy ? "&numpy" : ""}`;
  const address = `http://127.0.0.1:${server.address().port}/wasm_times.html?${query}`;
  const profile = mkdtempSync(join(tmpdir(), "wasm-times-"));
  const browser = spawn(process.env.CHROMIUM ?? "/usr/bin/chromium", [
    "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", `--user-data-dir=${profile}`,
    "--remote-debugging-port=0", address,
  ], { stdio: "ignore" });
  const ended = new Promise((resolve) => {
    browser.on("exit", resolve);
    browser.on("error", resolve);
  });
  const failed = ended.then((reason) => `the browser ended: ${reason}`);
  const failure = await Promise.race([finished, failed]);
  browser.kill();
  await ended;
  server.close();
  server.closeAllConnections();
  rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
  return failure;
}

async function answer(request, response, { modules, numpy, finish }) {
  const { pathname, searchParams } = new URL(request.url, "http://localhost");
  const path = pathname.slice(1);
  response.setHeader("Content-Type", types[path.split(".").at(-1)] ?? "text/plain");
  if (path === "line") {
    console.log(await read(request));
    response.end();
  } else if (path === "end") {
    finish(await read(request));
    response.end();
  } else if (path === "numpy" && numpy) {
    const seconds = await numpy.time(searchParams.get("n"), searchParams.get("repeats"));
    response.end(String(seconds));
  } else if (path === "simd.wasm" || path === "plain.wasm") {
    response.end(modules[path.slice(0, -5)]);
  } else {
    sendFile(path, response);
  }
}

async function read(request) {
  let text = "";
  for await (const piece of request) text += piece;
  return text;
}

/** The page, its modules, and the packages that npm installed, which need not be there. */
function sendFile(path, response) {
  try {
    if (!/^([a-z_]+\.(html|mjs)|node_modules\/@tensorflow\/[-a-z/.]+\.(js|wasm))$/.test(path)) throw new Error();
    response.end(readFileSync(new URL(path, import.meta.url)));
  } catch {
    response.statusCode = 404;
    response.end();
  }
}
