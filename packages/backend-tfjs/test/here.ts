/**
 * Backends of the kinds that Node can run, each opened once. A kind that cannot run here is skipped with its reason.
 */
import { afterAll, describe, test } from "vitest";
import type { Backend } from "@cloze/backend";
import { backend, probe, type Kind } from "../src/index.ts";

export const NODE_KINDS = ["cpu", "wasm", "node"] as const;

/** One test for each kind. */
export function onEach(
  name: string,
  body: (made: Backend, kind: Kind) => Promise<void>,
  kinds: readonly Kind[] = NODE_KINDS,
): void {
  describe(name, () => {
    for (const kind of kinds) {
      let made: Backend | undefined;
      afterAll(async () => made?.dispose());
      test(`tfjs:${kind}`, async (context) => {
        const found = await probe(kind);
        // allow skip: TensorFlow's native library is not on every machine
        if (!found.available) return context.skip(`${found.reason} ${found.remedy}`);
        made = await backend({ kind });
        await body(made, kind);
      }, 120_000);
    }
  });
}
