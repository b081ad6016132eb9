// The files that threads need: their scripts, and the compute module.
//
// They come from the page's own node; should that die before they are here,
// from the node to which the page is linked by then. Once they are here, a
// thread that starts later needs no node at all.

const MODULES = { simd: 'simd.wasm', scalar: 'scalar.wasm' };

// In the order in which they refer to each other; a built site has one file of them
// (xtask/src/scripts.rs). Plain scripts, because older
// phones know no modules in a Web Worker.
const THREAD_SCRIPTS = ['wasm-kernel.js', 'kernel-worker.js'];

// Only a thread that cannot have WebAssembly asks for these.
const FALLBACK_SCRIPTS = ['philox.js', 'blake3.js', 'textbook.js'];

const ANSWER_MS_MAX = 10000;
const RETRY_MS = 500;

/** `folder` is where the files lie at the page's own node; `linkedNode()` is the address of the node it is linked to. */
export function createFiles(folder, linkedNode) {
  const { pathname } = new URL(folder);

  /** A file's bytes, from whoever answers first; null when a node says that there is none. */
  async function read(name) {
    for (let tries = 0; ; tries += 1) {
      const place = tries % 2 === 0 ? folder : linkedNode() + pathname;
      const stop = new AbortController();
      const timer = setTimeout(() => stop.abort(), ANSWER_MS_MAX);
      try {
        const answer = await fetch(place + name, { signal: stop.signal });
        if (answer.ok) return await answer.arrayBuffer();
        if (answer.status === 404) return null;
      } catch {
        // That node is gone, or nearly so: the other one is asked.
      } finally {
        clearTimeout(timer);
      }
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }

  return {
    /**
     * The chosen kernel, or the next best one. Its module is compiled once;
     * every thread gets the same.
     */
    async kernel(chosen) {
      for (const name of chosen === 'simd' ? ['simd', 'scalar'] : [chosen]) {
        if (!MODULES[name]) break;
        try {
          const bytes = await read(MODULES[name]);
          if (!bytes) throw new Error('the node has no such file');
          return { name, module: await WebAssembly.compile(bytes) };
        } catch (error) {
          console.warn(`matmesh: no ${name} kernel:`, error);
        }
      }
      return { name: 'javascript', module: null };
    },

    /** The addresses of what multiplies without WebAssembly, at the linked node. */
    fallbackScripts: () => FALLBACK_SCRIPTS.map((name) => linkedNode() + pathname + name),

    /** The address of all that a thread runs, in one script. */
    async threadScript() {
      const texts = await Promise.all(THREAD_SCRIPTS.map(read));
      if (texts.includes(null)) throw new Error('the node lacks a script of the threads');
      return URL.createObjectURL(new Blob(texts.flatMap((text) => [text, '\n']), { type: 'text/javascript' }));
    },
  };
}
