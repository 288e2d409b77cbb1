/**
 * The page's build. By default it takes the packages as they are published (dist); `CLOZE_SOURCE=1` takes their
 * sources.
 *
 * First load is `index` and `worker` with what they import at once; backends, models and data come when they are asked
 * for.
 */
import { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { defineConfig, type UserConfig } from "vite";

const sample = join(createRequire(import.meta.url).resolve("cloze/package.json"), "..", "sample");
const conditions = process.env["CLOZE_SOURCE"] === undefined ? [] : ["@cloze/source"];
/** The ways to a TensorFlow.js that this page never takes: it brings its core and its WebAssembly backend itself. */
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
