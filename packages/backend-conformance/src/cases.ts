/** All cases: what testBackend checks, and what benches measure. */
import type { Case } from "./case.ts";
import { compositeCases } from "./cases/composites.ts";
import { opCases } from "./cases/ops.ts";
import { specialCases } from "./cases/special.ts";

export const cases: readonly Case[] = [...Object.values(opCases).flat(), ...compositeCases, ...specialCases];
