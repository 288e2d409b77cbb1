/** A check: one thing a backend must do, by name. Throws where it does not. */
import type { Backend } from "@cloze/backend";
import { order, programRoots, type DType, type HostTensors, type Program } from "@cloze/graph";
import { cases } from "./cases.ts";
import type { OpClass } from "./case.ts";
import { expected } from "./oracle.ts";
import { buildCase, type Direction } from "./run-case.ts";
import { expectClose } from "./tolerance.ts";

export interface Check {
  readonly name: string;
  /** Dtypes that a backend must claim for the check to apply. */
  readonly needs: readonly DType[];
  readonly run: (backend: Backend, live: () => number | Promise<number>) => Promise<void>;
  /** It says nothing without a count of live buffers. */
  readonly countsBuffers?: true;
}

const DIRECTIONS: readonly Direction[] = ["forward", "gradient"];

/** One check for each case, dtype and direction: `add > broadcast > f32 > gradient`. */
export const caseChecks: () => Check[] = () =>
  cases.flatMap((c) =>
    c.dtypes.flatMap((dtype) =>
      DIRECTIONS.flatMap((direction): Check[] => {
        const built = buildCase(c, dtype, direction);
        if (built === undefined) return [];
        const needs = [...new Set([dtype, ...order(programRoots(built.program)).map((x) => x.dtype)])];
        return [
          {
            name: `${c.name} > ${dtype} > ${direction}`,
            needs,
            run: (backend) => runOnce(backend, built.program, {}, built.feeds, toleranceOf(c.tolerance, direction)),
          },
        ];
      }),
    ),
  );

/** The gradient of what was broadcast is a sum, and the order of a sum is the backend's. */
const toleranceOf = (forward: OpClass, direction: Direction): OpClass =>
  direction === "gradient" && (forward === "exact" || forward === "arithmetic") ? "reduction" : forward;

/** Compiles, starts, runs once and compares outputs and state with the interpreter's. */
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
