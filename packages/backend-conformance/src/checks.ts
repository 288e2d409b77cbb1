/** The checks that are not cases: sessions, aliasing and whole programs. */
import type { Check } from "./check.ts";
import { aliasingChecks } from "./checks/aliasing.ts";
import { wholeProgramChecks } from "./checks/programs.ts";
import { sessionChecks } from "./checks/session.ts";

export const programChecks: readonly Check[] = [...sessionChecks, ...aliasingChecks, ...wholeProgramChecks];
