// The check of correctness before any timing: training steps of a tiny ESM-2, compared with the reference interpreter,
// and with --conformance the whole conformance suite.
import { allChecks, judge } from "@cloze/backend-conformance";
import { backend as reference } from "@cloze/backend-reference";
import { trainingOf, workloads } from "./training.mjs";

const tiny = { ...workloads["tiny 2x64"], rows: 1, length: 24 };
let wanted;

/** Compares losses and gradient norms of three steps with those of the interpreter, whose contractions are in f32. */
export async function checkTraining({ backend, mode, compute, expect, log }) {
  const steps = async (engine, options, training) => {
    const executable = await engine.compile(training.program, options);
    const session = await engine.start(training.state());
    const got = [];
    for (let t = 1; t <= 3; t++) {
      const out = await session.run(executable, training.feeds(t));
      got.push(training.loss(out), out.gradNorm.data[0]);
    }
    return got;
  };
  const row = { kind: "check", name: "three training steps against the interpreter", mode };
  try {
    wanted ??= await steps(reference(), {}, trainingOf(tiny, "f32"));
    const got = await steps(backend, { compute }, trainingOf(tiny, compute));
    const error = Math.max(...got.map((value, i) => Math.abs(value - wanted[i]) / Math.abs(wanted[i])));
    Object.assign(row, { error, ok: error <= expect });
  } catch (error) {
    Object.assign(row, { ok: false, failed: String(error.message ?? error) });
  }
  log(row);
  return [row];
}

export async function checkConformance({ backend, mode, log }) {
  const rows = [];
  const began = performance.now();
  let passed = 0;
  let skipped = 0;
  for (const check of allChecks()) {
    try {
      if ((await judge(check, backend, [], () => backend.memory().buffers)) === undefined) passed++;
      else skipped++;
    } catch (error) {
      rows.push({
        kind: "check",
        name: check.name,
        mode,
        ok: false,
        failed: String(error.message ?? error).slice(0, 300),
      });
      log(rows.at(-1));
    }
  }
  rows.push({
    kind: "check",
    name: "conformance",
    mode,
    passed,
    skipped,
    failures: rows.length,
    ok: rows.length === 0,
    ms: performance.now() - began,
  });
  log(rows.at(-1));
  return rows;
}
