/** The worker thread of `countFiles`: it counts words in chunks. It runs as a worker; other code imports only types. */
import { parentPort, workerData } from "node:worker_threads";
import { WordCounter, type WordOptions } from "./word-counts.ts";

export type ToCounter = { readonly chunk: Uint8Array } | { readonly finish: true };
export type FromCounter = { readonly words: number } | { readonly parts: ReturnType<WordCounter["parts"]> };

if (parentPort !== null) {
  const port = parentPort;
  const counter = new WordCounter(workerData as WordOptions);
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  port.on("message", (message: ToCounter) => {
    if ("chunk" in message) {
      counter.add(decoder.decode(message.chunk));
      port.postMessage({ words: counter.size } satisfies FromCounter);
      return;
    }
    const parts = counter.parts();
    port.postMessage(
      { parts } satisfies FromCounter,
      [parts.units, parts.lengths, parts.counts, parts.singles].map((array) => array.buffer as ArrayBuffer),
    );
    port.close();
  });
}
