import { expect, test } from "vitest";
import { expectWasm } from "./wasm-files.ts";

const wasm = Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0);

/** A server that has these files, and answers with its page for the others, as servers of single-page programs do. */
const server =
  (files: Readonly<Record<string, Uint8Array<ArrayBuffer>>>): typeof fetch =>
  async (address) => {
    const file = files[String(address)];
    return new Response(file ?? "<!doctype html>", {
      headers: { "content-type": file ? "application/wasm" : "text/html" },
    });
  };

test("beside the page, in a folder, by name", async () => {
  const name = "tfjs-backend-wasm-simd.wasm";
  await expectWasm(undefined, server({ [name]: wasm }));
  await expectWasm("/files/", server({ [`/files/${name}`]: wasm }));
  await expectWasm({ [name]: "/assets/simd-x1.wasm" }, server({ "/assets/simd-x1.wasm": wasm }));
});

test("a page in place of the file: what to write in Vite", async () => {
  await expect(expectWasm(undefined, server({}))).rejects.toMatchObject({
    reason: "expected a WebAssembly file at tfjs-backend-wasm-simd.wasm, got text/html.",
    remedy: expect.stringContaining(
      'import simd from "@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-simd.wasm?url"',
    ),
  });
});

test("no file, no server", async () => {
  const missing: typeof fetch = async () => new Response("", { status: 404 });
  await expect(expectWasm("/x/", missing)).rejects.toThrow("at /x/tfjs-backend-wasm-simd.wasm, got status 404.");
  const down: typeof fetch = () => Promise.reject(new TypeError("Failed to fetch"));
  await expect(expectWasm("/x/", down)).rejects.toThrow("got no answer (Failed to fetch).");
});
