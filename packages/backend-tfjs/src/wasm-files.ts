/**
 * The .wasm files of TensorFlow.js in a browser. A bundler does not take them along, and a server often answers with a
 * page where a file is missing; TensorFlow.js then waits for ever. So the file is looked at first.
 */
import { Unfit } from "./unfit.ts";

/** The address of each file by its name, or the address of a folder that holds them, with its slash. */
export type WasmPaths = string | Readonly<Record<string, string>>;

/** The file that all current browsers take on one thread. */
const FILE = "tfjs-backend-wasm-simd.wasm";

/** How a WebAssembly file begins: "\0asm". */
const MAGIC = [0, 0x61, 0x73, 0x6d] as const;

/** Throws Unfit where the address of the file does not lead to a WebAssembly file. */
export async function expectWasm(paths: WasmPaths = "", load: typeof fetch = fetch): Promise<void> {
  const address = typeof paths === "string" ? `${paths}${FILE}` : (paths[FILE] ?? FILE);
  const found = await contentAt(address, load);
  if (found !== undefined)
    throw new Unfit(
      `expected a WebAssembly file at ${address}, got ${found}.`,
      "Name the .wasm files of @tensorflow/tfjs-backend-wasm. In Vite, for each of tfjs-backend-wasm.wasm, " +
        'tfjs-backend-wasm-simd.wasm and tfjs-backend-wasm-threaded-simd.wasm: import simd from "@tensorflow/' +
        'tfjs-backend-wasm/dist/tfjs-backend-wasm-simd.wasm?url", and then backend({ kind: "wasm", wasmPaths: ' +
        '{ "tfjs-backend-wasm-simd.wasm": simd, … } }). Without a bundler: wasmPaths is the address of the folder ' +
        "dist/ of the package.",
    );
}

/** What lies there; undefined where it is WebAssembly. */
async function contentAt(address: string, load: typeof fetch): Promise<string | undefined> {
  try {
    const response = await load(address);
    if (!response.ok) return `status ${response.status}`;
    const bytes = new Uint8Array(await response.arrayBuffer());
    if (MAGIC.every((byte, i) => bytes[i] === byte)) return undefined;
    return `${response.headers.get("content-type") ?? "another kind of file"}`;
  } catch (error) {
    return `no answer (${error instanceof Error ? error.message : String(error)})`;
  }
}
