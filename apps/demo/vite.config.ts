/**
 * The configuration of the page's build. By default it takes the built packages (dist); `CLOZE_SOURCE=1` takes their
 * sources.
 *
 * The first load is `index` and `worker` with their static imports. Backends, models and data load when the page needs
 * them.
 */
import { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { defineConfig, type UserConfig } from "vite";

const sample = join(createRequire(import.meta.url).resolve("cloze/package.json"), "..", "sample");
const conditions = process.env["CLOZE_SOURCE"] === undefined ? [] : ["@cloze/source"];
/** TensorFlow.js packages that the page never loads: it has its own core and WebAssembly backend. */
const elsewhere = [
  "@tensorflow/tfjs",
  "@tensorflow/tfjs-node",
  "@tensorflow/tfjs-node-gpu",
  "@tensorflow/tfjs-backend-webgpu",
];

const config: UserConfig = defineConfig({
  root: fileURLToPath(new URL(".", import.meta.url)),
  base: "./",
  resolve: { conditions: [...conditions, "browser", "module", "import", "default"], alias: { "#sample": sample } },
  worker: { format: "es", rolldownOptions: { external: elsewhere } },
  build: { target: "es2022", rolldownOptions: { external: elsewhere }, chunkSizeWarningLimit: 1500 },
  optimizeDeps: { exclude: elsewhere },
  server: { fs: { allow: [fileURLToPath(new URL("../..", import.meta.url))] } },
});
export default config;
