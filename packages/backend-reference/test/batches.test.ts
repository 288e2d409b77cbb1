// Checks that share a program must give the same verdicts as checks that run alone.
import { expect, it } from "vitest";
import type { Backend } from "@cloze/backend";
import { allChecks, inBatches, judge, type Check } from "@cloze/backend-conformance";
import { order, programRoots, type Program } from "@cloze/graph";
import { backend } from "../src/index.ts";

const groups = ["tanh", "erf", "add", "reduceSum"];
const some = allChecks().filter(({ name }) => groups.includes(name.split(" > ")[0] as string));
const holds = (program: Program, op: string): boolean => order(programRoots(program)).some((x) => x.op === op);

/** The reference backend with a `compile` that records every program and may refuse one. */
function counting(refuses: (program: Program) => boolean = () => false): Backend & { readonly compiled: Program[] } {
  const right = backend();
  const compiled: Program[] = [];
  return {
    ...right,
    compiled,
    compile: async (program, options) => {
      compiled.push(program);
      if (refuses(program)) throw new Error("refused");
      return right.compile(program, options);
    },
    start: (state) => right.start(state),
    dispose: () => right.dispose(),
  };
}

/** The reference backend, but the outputs of the programs that `wrong` accepts are too large by 1. */
function adding(wrong: (program: Program) => boolean): Backend {
  const { compiled, ...right } = counting();
  return {
    ...right,
    start: async (state) => {
      const session = await right.start(state);
      return {
        run: async (executable, feeds) => {
          const outputs = await session.run(executable, feeds);
          if (!wrong(compiled.at(-1) as Program)) return outputs;
          return Object.fromEntries(
            Object.entries(outputs).map(([name, x]) => [
              name,
              { ...x, data: x.data.map((value) => Number(value) + 1) },
            ]),
          );
        },
        read: (names) => session.read(names),
        write: (tensors) => session.write(tensors),
        dispose: () => session.dispose(),
      };
    },
  };
}

async function errorsOf(checks: readonly Check[], on: Backend): Promise<Record<string, string>> {
  const errors: Record<string, string> = {};
  for (const check of checks) {
    await judge(check, on, []).catch((error: unknown) => {
      errors[check.name] = (error as Error).message;
    });
  }
  return errors;
}

it("keeps names and order, and compiles a fraction of the programs", async () => {
  const together = inBatches(some, 32);
  expect(together.map(({ name }) => name)).toEqual(some.map(({ name }) => name));
  const on = counting();
  expect(await errorsOf(together, on)).toEqual({});
  expect(on.compiled.length).toBe(Math.ceil(some.length / 32));
});

it("a program that does not compile is cut in halves: who is at fault fails, and nobody else", async () => {
  const refuses = (program: Program): boolean => holds(program, "erf");
  const alone = await errorsOf(some, counting(refuses));
  expect(Object.keys(alone).length).toBeGreaterThan(3);
  expect(await errorsOf(inBatches(some, 32), counting(refuses))).toEqual(alone);
});

it("outputs that differ fail the check they belong to, in its own words", async () => {
  const wrong = (program: Program): boolean => holds(program, "tanh");
  const alone = await errorsOf(some, adding(wrong));
  expect(Object.keys(alone).length).toBeGreaterThan(3);
  const together = await errorsOf(inBatches(some, 32), adding(wrong));
  for (const [name, message] of Object.entries(alone)) expect(together[name]).toBe(message);
});

it("a check that passes alone and fails in company fails", async () => {
  const company = (program: Program): boolean => Object.keys(program.outputs).length > 4;
  const f32 = some.filter(({ name }) => name.includes("> f32 >"));
  const together = await errorsOf(inBatches(f32, 32), adding(company));
  expect(Object.keys(together)).toEqual(f32.map(({ name }) => name));
  for (const message of Object.values(together)) expect(message).toContain("passes alone, and fails in one program");
});

it("checks of a dtype that the backend does not claim are not compiled", async () => {
  const right = counting();
  const narrow = { ...right, capabilities: { ...right.capabilities, dtypes: ["f32", "bool"] as const } };
  const skipped: string[] = [];
  for (const check of inBatches(some, 32)) if ((await judge(check, narrow, [])) !== undefined) skipped.push(check.name);
  expect(skipped.length).toBeGreaterThan(0);
  const dtypes = right.compiled.flatMap((program) => order(programRoots(program)).map(({ dtype }) => dtype));
  expect(dtypes.filter((dtype) => dtype !== "f32" && dtype !== "bool")).toEqual([]);
});
