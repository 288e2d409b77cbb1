/**
 * testBackend: the suite that defines a backend.
 *
 * Every check is a vitest test of the same name. A gap names a check or a group of checks, and a reason. Each check of
 * a gap must fail: a pass is an error. A gap that names no check is an error too. Where the backend cannot run, vitest
 * reports every check as skipped, with the reason.
 */
import { afterAll, describe, it } from "vitest";
import { inBatches } from "./batch.ts";
import { caseChecks, type Check } from "./check.ts";
import { programChecks } from "./checks.ts";
import { isBackend, judge, unknownGaps, type Gap, type Made } from "./judge.ts";

export interface Suite {
  readonly name: string;
  /**
   * Makes a new backend. Where the backend cannot run on this machine: undefined, or `unavailable(reason, remedy)`.
   */
  readonly create: () => Made | Promise<Made>;
  readonly gaps?: readonly Gap[];
  /** The number of live buffers (or bytes) on the device, if the backend can count them. Runs must not raise it. */
  readonly live?: () => number | Promise<number>;
}

/** All checks, in the order of the run. */
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
