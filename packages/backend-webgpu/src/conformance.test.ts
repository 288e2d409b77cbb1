// The conformance suite on the adapter of this machine. CI runs it once for each driver.
import { testBackend } from "@cloze/backend-conformance";
import { deviceForTests } from "../test/adapter.ts";
import { backend, type WebGpuBackend } from "./index.ts";
import { isNotHere } from "./runtime/gpu.ts";

let opened: WebGpuBackend | undefined;

testBackend({
  name: "webgpu",
  create: async () => {
    const found = await deviceForTests();
    if (isNotHere(found)) return found;
    found.close();
    return (opened = await backend());
  },
  live: () => opened?.memory().buffers ?? 0,
});
