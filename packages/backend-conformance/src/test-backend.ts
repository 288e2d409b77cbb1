/**
 * testBackend: the suite that says whether something is a backend.
 *
 * Every check is a vitest test named as in its data. A gap names a check, or a group of them, with its reason: those
 * must fail. A gap that passes is a failure, and so is one that names nothing. Where the backend cannot run, every test
 * is reported as skipped with the reason.
 */
import { afterAll, describe, it } from "vitest";
import { inBatches } from "./batch.ts";
import { caseChecks, type Check } from "./check.ts";
import { programChecks } from "./checks.ts";
import { isBackend, judge, unknownGaps, type Gap, type Made } from "./judge.ts";

export interface Suite {
  readonly name: string;
  /** A fresh backend; undefined, or why not (`unavailable(reason, remedy)`), where it cannot run on this machine. */
  readonly create: () => Made | Promise<Made>;
  readonly gaps?: readonly Gap[];
  /** How many buffers (or bytes) are alive on the device, where the backend can tell: runs must not add to them. */
  readonly live?: () => number | Promise<number>;
}

/** Every check there is, in the order it runs. */
export const allChecks = (): readonly Check[] => [...caseChecks(), ...programChecks];

export function testBackend({ name, create, gaps = [], live }: Suite): void {
  describe(`backend ${name}`, () => {
    let made: Promise<Made> | undefined;
    const get = (): Promise<Made> => (made ??= Promise.resolve(create()));
    const checks = inBatches(allChecks());
    afterAll(async () => {
      const backend = await made;
      if (isBackend(backend)) await backend.dispose();
    });

    it("gaps name checks that exist", () => {
      const unknown = unknownGaps(gaps, checks);
      if (unknown.length > 0)
        throw new Error(
          `no check is named ${unknown.map((u) => `"${u}"`).join(", ")}: take the gap out, or correct its name`,
        );
    });

    for (const check of checks) {
      it(check.name, async (context) => {
        const skipped = await judge(check, await get(), gaps, live);
        if (skipped !== undefined) context.skip(`${name}: ${skipped}`);
      });
    }
  });
}
