// A page that runs one step on wasm and writes the outcome into its title. With `?plain` it names no .wasm file.
import { backend } from "@cloze/backend-tfjs";
import { fromNumbers, Graph, program } from "@cloze/graph";
import plain from "@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm.wasm?url";
import simd from "@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-simd.wasm?url";
import threaded from "@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-threaded-simd.wasm?url";

const wasmPaths = {
  "tfjs-backend-wasm.wasm": plain,
  "tfjs-backend-wasm-simd.wasm": simd,
  "tfjs-backend-wasm-threaded-simd.wasm": threaded,
};

async function step() {
  const tf = await backend({ kind: "wasm", ...(location.search === "?plain" ? {} : { wasmPaths }) });
  const g = new Graph();
  const x = g.input("x", "f32", [2]);
  const executable = await tf.compile(program(g, { state: [], outputs: { y: x.mul(2).sum() } }));
  const session = await tf.start({});
  const { y } = await session.run(executable, { x: fromNumbers("f32", [2], [1, 2]) });
  return `${tf.capabilities.device}: ${y.data[0]}`;
}

document.title = await step().catch((error) => `${error.name}: ${error.message}`);
