/** A check: one named requirement on a backend. A check throws where the backend does not meet the requirement. */
import type { Backend } from "@cloze/backend";
import { order, programRoots, type DType, type HostTensors, type Program } from "@cloze/graph";
import { cases } from "./cases.ts";
import type { OpClass } from "./case.ts";
import { expected } from "./oracle.ts";
import { buildCase, type Direction } from "./run-case.ts";
import { expectClose } from "./tolerance.ts";

/** A program without state. A check runs the program once and compares the outputs with the interpreter's. */
export interface Comparison {
  readonly program: Program;
  readonly feeds: HostTensors;
  readonly tolerance: OpClass;
}

export interface Check {
  readonly name: string;
  /** Dtypes that a backend must claim for the check to apply. */
  readonly needs: readonly DType[];
  readonly run: (backend: Backend, live: () => number | Promise<number>) => Promise<void>;
  /** Present where the check is exactly one comparison. Checks with a comparison can share a program. */
  readonly comparison?: Comparison;
  /** Present where the check needs a count of live buffers. */
  readonly countsBuffers?: true;
}

/** The dtypes that a check needs and a backend does not claim. */
export const unclaimed = (backend: Backend, check: Check): readonly DType[] =>
  check.needs.filter((dtype) => !backend.capabilities.dtypes.includes(dtype));

/** A check that is one comparison. */
export const comparing = (name: string, needs: readonly DType[], comparison: Comparison): Check => ({
  name,
  needs,
  comparison,
  run: (backend) => runOnce(backend, comparison.program, {}, comparison.feeds, comparison.tolerance),
});

const DIRECTIONS: readonly Direction[] = ["forward", "gradient"];

/** One check for each case, dtype and direction: `add > broadcast > f32 > gradient`. */
export const caseChecks: () => Check[] = () =>
  cases.flatMap((c) =>
    c.dtypes.flatMap((dtype) =>
      DIRECTIONS.flatMap((direction): Check[] => {
        const built = buildCase(c, dtype, direction);
        if (built === undefined) return [];
        const needs = [...new Set([dtype, ...order(programRoots(built.program)).map((x) => x.dtype)])];
        const tolerance = toleranceOf(c.tolerance, direction);
        return [comparing(`${c.name} > ${dtype} > ${direction}`, needs, { ...built, tolerance })];
      }),
    ),
  );

/** The gradient of a broadcast is a sum, and each backend chooses the order of a sum. */
const toleranceOf = (forward: OpClass, direction: Direction): OpClass =>
  direction === "gradient" && (forward === "exact" || forward === "arithmetic") ? "reduction" : forward;

/** Compiles a program, runs it once, and compares outputs and state with the interpreter's. */
export async function runOnce(
  backend: Backend,
  program: Program,
  state: HostTensors,
  feeds: HostTensors,
  tolerance: OpClass,
): Promise<void> {
  const want = expected(program, state, feeds);
  const executable = await backend.compile(program);
  const session = await backend.start(state);
  try {
    expectClose(await session.run(executable, feeds), want.outputs, tolerance);
    if (Object.keys(state).length > 0) expectClose(await session.read(), want.state, tolerance);
  } finally {
    await session.dispose();
    await executable.dispose();
  }
}
