// The whole conformance suite, on each TensorFlow.js that Node can run.
import { testBackend, type Gap } from "@cloze/backend-conformance";
import { backend, probe, type Kind } from "../src/index.ts";
import { tensorCount } from "./tensor-count.ts";

/** The backend, or the reason why it cannot run on this machine. */
async function here(
  kind: Kind,
): Promise<Awaited<ReturnType<typeof backend>> | (Awaited<ReturnType<typeof probe>> & { readonly available: false })> {
  const found = await probe(kind);
  return found.available ? backend({ kind }) : found;
}

const gaps: { readonly [K in "cpu" | "wasm" | "node"]: readonly Gap[] } = {
  cpu: [],
  wasm: [
    {
      reason: "FloorDiv of wasm divides integers in f32: quotients beyond 2^24 lose their last bits.",
      cases: ["div > unsigned > u32 > forward"],
    },
  ],
  node: [],
};

for (const kind of ["cpu", "wasm", "node"] as const)
  testBackend({ name: `tfjs:${kind}`, create: () => here(kind), gaps: gaps[kind], live: tensorCount });
