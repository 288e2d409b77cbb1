/**
 * testBackend: the suite that says whether something is a backend.
 *
 * Every check is a vitest test named as in its data. A gap names a check, or a group of them, with its reason: those must fail.
 * A gap that passes is a failure, and so is one that names nothing. Where the backend cannot run, every test is reported as
 * skipped with the reason.
 */
import type { Backend, Probe } from "@cloze/backend";
import { afterAll, describe, it } from "vitest";
import { caseChecks, type Check } from "./check.ts";
import { programChecks } from "./checks.ts";

export interface Gap {
  readonly reason: string;
  /** Full names of checks, or the beginning of names up to a ` > `. */
  readonly cases: readonly string[];
}

type NotHere = Extract<Probe, { readonly available: false }>;

export interface Suite {
  readonly name: string;
  /** A fresh backend; undefined, or why not, where it cannot run on this machine. */
  readonly create: () => Backend | NotHere | undefined | Promise<Backend | NotHere | undefined>;
  readonly gaps?: readonly Gap[];
}

/** Every check there is, in the order it runs. */
export const allChecks = (): readonly Check[] => [...caseChecks(), ...programChecks];

const covers = (gap: string, name: string): boolean => name === gap || name.startsWith(`${gap} > `);

export function testBackend({ name, create, gaps = [] }: Suite): void {
  describe(`backend ${name}`, () => {
    let made: Promise<Backend | NotHere | undefined> | undefined;
    const get = (): Promise<Backend | NotHere | undefined> => (made ??= Promise.resolve(create()));
    const checks = allChecks();
    afterAll(async () => {
      const backend = await made;
      if (isBackend(backend)) await backend.dispose();
    });

    it("gaps name checks that exist", () => {
      const unknown = gaps.flatMap((g) => g.cases).filter((gap) => !checks.some((c) => covers(gap, c.name)));
      if (unknown.length > 0) throw new Error(`no check is named ${unknown.map((u) => `"${u}"`).join(", ")}: take the gap out, or correct its name`);
    });

    for (const check of checks) {
      const gap = gaps.find((g) => g.cases.some((c) => covers(c, check.name)));
      it(check.name, async (context) => {
        const backend = await get();
        if (!isBackend(backend)) return context.skip(backend === undefined ? `${name}: not on this machine` : `${backend.reason} ${backend.remedy}`);
        const unclaimed = check.needs.filter((d) => !backend.capabilities.dtypes.includes(d));
        if (unclaimed.length > 0) return context.skip(`${name} does not claim ${unclaimed.join(", ")}`);
        if (gap === undefined) return check.run(backend);
        const failed = await check.run(backend).then(() => false, () => true);
        if (!failed) throw new Error(`the gap "${check.name}" (${gap.reason}) passes: take it out`);
      });
    }
  });
}

const isBackend = (x: Backend | NotHere | undefined): x is Backend => x !== undefined && "compile" in x;
