/**
 * Checks in batches: many comparisons as the outputs of one program.
 *
 * An engine takes far longer to compile a program than to run a small program. Most checks compare one small run with
 * the interpreter. A batch compiles these checks together, once. Each check keeps its name and its verdict.
 *
 * Where the program of a batch does not compile or run, the batch is cut in halves until each faulty check is alone. A
 * check whose outputs differ runs alone once more, so that the error names the outputs of this check only. A check that
 * then passes depends on its neighbours, and is a failure too.
 */
import type { Backend } from "@cloze/backend";
import { Graph, isOp, order, program, programRoots, type HostTensor, type Program, type Tensor } from "@cloze/graph";
import { runOnce, unclaimed, type Check, type Comparison } from "./check.ts";
import { expected } from "./oracle.ts";
import { expectClose } from "./tolerance.ts";

/** The error that a check throws, or undefined where the check passes. */
type Verdict = { readonly error: unknown } | undefined;
type Comparing = Check & { readonly comparison: Comparison };

const compares = (check: Check): check is Comparing => check.comparison !== undefined;

/**
 * The same checks, in the same order and with the same names. Up to `size` checks that have a comparison share one
 * program.
 */
export function inBatches(checks: readonly Check[], size = 32): readonly Check[] {
  const comparing = checks.filter(compares);
  const batches = new Map<Check, Batch>();
  for (let at = 0; at < comparing.length; at += size) {
    const batch = new Batch(comparing.slice(at, at + size));
    for (const check of batch.checks) batches.set(check, batch);
  }
  return checks.map((check) => {
    const batch = batches.get(check);
    if (batch === undefined) return check;
    return {
      ...check,
      async run(backend) {
        const verdict = (await batch.verdicts(backend)).get(check);
        if (verdict !== undefined) throw verdict.error;
      },
    };
  });
}

class Batch {
  readonly checks: readonly Comparing[];
  readonly #verdicts = new WeakMap<Backend, Promise<ReadonlyMap<Check, Verdict>>>();

  constructor(checks: readonly Comparing[]) {
    this.checks = checks;
  }

  /**
   * The verdicts on the checks whose dtypes the backend claims. Each backend runs the batch once. Later calls return
   * the same verdicts.
   */
  verdicts(backend: Backend): Promise<ReadonlyMap<Check, Verdict>> {
    let verdicts = this.#verdicts.get(backend);
    if (verdicts === undefined) {
      const claimed = this.checks.filter((check) => unclaimed(backend, check).length === 0);
      verdicts = verdictsOn(backend, claimed).then((list) => new Map(list));
      this.#verdicts.set(backend, verdicts);
    }
    return verdicts;
  }
}

async function verdictsOn(backend: Backend, checks: readonly Comparing[]): Promise<readonly [Check, Verdict][]> {
  const [first] = checks;
  if (first === undefined) return [];
  if (checks.length === 1) return [[first, await alone(backend, first)]];
  const differing = await runTogether(backend, checks).catch(() => undefined);
  if (differing === undefined) {
    const half = Math.ceil(checks.length / 2);
    return [...(await verdictsOn(backend, checks.slice(0, half))), ...(await verdictsOn(backend, checks.slice(half)))];
  }
  const verdicts: [Check, Verdict][] = [];
  for (const check of checks) {
    const error = differing.get(check);
    const verdict = error === undefined ? undefined : ((await alone(backend, check)) ?? { error: besideOthers(error) });
    verdicts.push([check, verdict]);
  }
  return verdicts;
}

const alone = (backend: Backend, { comparison }: Comparing): Promise<Verdict> =>
  runOnce(backend, comparison.program, {}, comparison.feeds, comparison.tolerance).then(
    () => undefined,
    (error: unknown) => ({ error }),
  );

const besideOthers = (error: Error): Error =>
  new Error(`passes alone, and fails in one program with others: ${error.message}`, { cause: error });

/** Compiles and runs all checks as one program. Returns the checks whose outputs differ, each with its error. */
async function runTogether(backend: Backend, checks: readonly Comparing[]): Promise<ReadonlyMap<Check, Error>> {
  const graph = new Graph();
  const outputs: Record<string, Tensor> = {};
  const feeds: Record<string, HostTensor> = {};
  checks.forEach(({ comparison }, i) => {
    for (const [name, output] of Object.entries(copied(comparison.program, graph, `${i}.`))) outputs[name] = output;
    for (const [name, feed] of Object.entries(comparison.feeds)) feeds[`${i}.${name}`] = feed;
  });
  const executable = await backend.compile(program(graph, { state: [], outputs }));
  const session = await backend.start({});
  try {
    const got = Object.entries(await session.run(executable, feeds));
    const differing = new Map<Check, Error>();
    checks.forEach((check, i) => {
      const prefix = `${i}.`;
      const own = got.filter(([name]) => name.startsWith(prefix)).map(([name, x]) => [name.slice(prefix.length), x]);
      const { comparison } = check;
      try {
        const want = expected(comparison.program, {}, comparison.feeds).outputs;
        expectClose(Object.fromEntries(own) as Record<string, HostTensor>, want, comparison.tolerance);
      } catch (error) {
        differing.set(check, error as Error);
      }
    });
    return differing;
  } finally {
    await session.dispose();
    await executable.dispose();
  }
}

/** Copies a program's outputs into another graph. The names of inputs and outputs start with `prefix` there. */
function copied(from: Program, graph: Graph, prefix: string): Record<string, Tensor> {
  const copies = new Map<Tensor, Tensor>();
  for (const x of order(programRoots(from))) {
    const args = x.args.map((arg) => copies.get(arg) as Tensor) as typeof x.args;
    const copy = isOp(x, "input")
      ? graph.input(`${prefix}${x.attrs.name}`, x.dtype, x.shape)
      : graph.within(x.path, () => graph.node(x.op, args, x.attrs));
    copies.set(x, copy);
  }
  const outputs = Object.entries(from.outputs).map(([name, x]) => [`${prefix}${name}`, copies.get(x) as Tensor]);
  return Object.fromEntries(outputs) as Record<string, Tensor>;
}
