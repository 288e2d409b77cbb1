/** All cases. testBackend checks them, and benchmarks measure them. */
import type { Case } from "./case.ts";
import { compositeCases } from "./cases/composites.ts";
import { opCases } from "./cases/ops.ts";
import { specialCases } from "./cases/special.ts";

export const cases: readonly Case[] = [...Object.values(opCases).flat(), ...compositeCases, ...specialCases];

export function caseNamed(name: string): Case {
  const found = cases.find((c) => c.name === name);
  if (found === undefined) throw new Error(`no case is named "${name}"`);
  return found;
}
