// The kit must fail an objective that breaks a rule, at the check for that rule: a kit that passes everything proves
// nothing. The checks run outside their suite, so that a failed check is only a result here.
import { crossEntropy, type Tensor } from "@cloze/graph";
import { RandomStream } from "@cloze/random";
import { beforeAll, describe, expect, it, vi } from "vitest";
import {
  encoderFeeds,
  encoderInputs,
  evaluationMask,
  slotFeeds,
  type Moment,
  type Objective,
  type Prepared,
  type Target,
} from "../src/index.ts";
import type { kitTokens as KitTokens, testObjective as TestObjective } from "../src/kit.ts";

type Batch = Parameters<Objective<"masked-lm">["prepare"]>[0];

const checks: { readonly name: string; readonly run: () => unknown }[] = [];
let testObjective: typeof TestObjective;
let kitTokens: typeof KitTokens;

beforeAll(async () => {
  const collect = (name: string, run: () => unknown): void => void checks.push({ name, run });
  const each =
    (values: readonly unknown[]) =>
    (name: string, run: (value: unknown) => unknown): void => {
      for (const value of values) collect(name.replace("%i", String(value)), () => run(value));
    };
  vi.doMock("vitest", () => ({
    describe: (_: string, body: () => void) => body(),
    it: Object.assign(collect, { each }),
    expect,
  }));
  ({ testObjective, kitTokens } = await import("../src/kit.ts"));
});

/** Names of the checks that an objective fails. */
async function failures(objective: Objective<"masked-lm">): Promise<string[]> {
  checks.length = 0;
  testObjective({ create: () => objective });
  const failed: string[] = [];
  for (const { name, run } of checks) {
    try {
      await run();
    } catch {
      failed.push(name);
    }
  }
  expect(checks.length).toBeGreaterThan(7);
  return failed;
}

const stream = ({ seed, step, evaluation }: Moment): RandomStream =>
  new RandomStream(evaluation ? 0 : seed).split(evaluation ? 0 : step);

/** Hides one token of each sequence. The first and the last token are never hidden. */
function hide(batch: Batch, draw: (example: number, i: number) => RandomStream): Prepared {
  const ids = batch.ids.slice();
  const targets: Target[] = batch.sequences.map(({ example, row, start, length }, i) => {
    const at = row * batch.length + start + 1 + draw(example, i).below(length - 2, 0);
    return { index: at, token: batch.ids[at] as number };
  });
  for (const { index } of targets) ids[index] = 4;
  return { feeds: { ...encoderFeeds(batch, ids), ...slotFeeds(targets, batch.sequences.length) } };
}

const sound: Objective<"masked-lm"> = {
  name: "sound",
  requires: "masked-lm",
  options: {},
  prepare: (batch, moment) => hide(batch, (example) => stream(moment).split(example)),
  loss(scope, model, feeds) {
    const slots = feeds as Readonly<Record<string, Tensor>>;
    const weights = slots["slots.weight"] as Tensor<"f32">;
    const states = model
      .encode(scope, encoderInputs(feeds))
      .reshape([-1, model.hidden])
      .gather(slots["slots.index"] as Tensor<"i32">);
    const losses = crossEntropy(model.predict(scope, states), slots["slots.target"] as Tensor<"i32">);
    return { loss: { sum: losses.mul(weights).sum(), weight: weights.sum() }, metrics: {} };
  },
};

const PARTS = [
  "gives the same loss whole and in 2 parts: micro-batches and ranks",
  "gives the same loss whole and in 3 parts: micro-batches and ranks",
];
const PADDING = "gives the same loss with more padding";
const AGAIN = "prepares the same feeds again, and leaves the batch as it was";

describe("the kit", () => {
  it("passes an objective that keeps the rules", async () => {
    expect(await failures(sound)).toEqual([]);
  });

  it("finds draws that are taken in turn", async () => {
    let drawn = 0;
    expect(
      await failures({ ...sound, prepare: (batch, moment) => hide(batch, () => stream(moment).split(drawn++)) }),
    ).toContain(AGAIN);
  });

  it("finds a batch that was written to", async () => {
    const prepare: Objective<"masked-lm">["prepare"] = (batch, moment) => {
      const prepared = sound.prepare(batch, moment);
      batch.ids.set(prepared.feeds["ids"]?.data as Int32Array);
      return prepared;
    };
    expect(await failures({ ...sound, prepare })).toContain(AGAIN);
  });

  it("finds a draw that the step or the seed does not change", async () => {
    expect(
      await failures({ ...sound, prepare: (batch, moment) => sound.prepare(batch, { ...moment, step: 0 }) }),
    ).toEqual(["draws anew for another step and another seed"]);
    expect(
      await failures({ ...sound, prepare: (batch, moment) => sound.prepare(batch, { ...moment, seed: 0 }) }),
    ).toEqual(["draws anew for another step and another seed"]);
  });

  it("finds evaluation that depends on the seed", async () => {
    expect(
      await failures({ ...sound, prepare: (batch, moment) => sound.prepare(batch, { ...moment, evaluation: false }) }),
    ).toEqual(["evaluates on the same corruption whatever the seed and the step"]);
  });

  it("finds an objective that says it evaluates on the mask of all runs, and hides other tokens or smooths its loss", async () => {
    const comparable = "evaluates on the mask that all runs are compared by, with the plain cross entropy";
    const said: Objective<"masked-lm"> = { ...sound, comparable: true };
    const masked: Objective<"masked-lm">["prepare"] = (batch, moment) =>
      moment.evaluation ? evaluationMask(batch, kitTokens) : sound.prepare(batch, moment);
    expect(await failures(said)).toEqual([comparable]);
    expect(await failures({ ...said, prepare: masked })).toEqual([]);
    const halved: Objective<"masked-lm">["loss"] = (scope, model, feeds) => {
      const {
        loss: { sum, weight },
      } = sound.loss(scope, model, feeds);
      return { loss: { sum: sum.mul(0.5), weight }, metrics: {} };
    };
    expect(await failures({ ...said, prepare: masked, loss: halved })).toEqual([comparable]);
  });

  it("finds draws by place in the batch instead of by example", async () => {
    expect(
      await failures({ ...sound, prepare: (batch, moment) => hide(batch, (_, i) => stream(moment).split(i)) }),
    ).toEqual(PARTS);
  });

  it("finds a mean where a sum belongs", async () => {
    const loss: Objective<"masked-lm">["loss"] = (scope, model, feeds) => {
      const {
        loss: { sum, weight },
      } = sound.loss(scope, model, feeds);
      return { loss: { sum: sum.div(weight), weight }, metrics: {} };
    };
    expect(await failures({ ...sound, loss })).toEqual(PARTS);
  });

  it("finds a weight that counts empty slots, and a loss that counts padding", async () => {
    const slots: Objective<"masked-lm">["loss"] = (scope, model, feeds) => {
      const {
        loss: { sum },
      } = sound.loss(scope, model, feeds);
      const { graph } = scope;
      return { loss: { sum, weight: graph.full((feeds["slots.index"] as Tensor).shape, 1, "f32").sum() }, metrics: {} };
    };
    expect(await failures({ ...sound, loss: slots })).toEqual(PARTS);
    const padding: Objective<"masked-lm">["loss"] = (scope, model, feeds) => {
      const {
        loss: { sum, weight },
      } = sound.loss(scope, model, feeds);
      const length = (feeds["ids"] as Tensor).shape[1] as number;
      return { loss: { sum: sum.mul(length), weight }, metrics: {} };
    };
    expect(await failures({ ...sound, loss: padding })).toEqual([PADDING]);
  });

  it("finds feeds whose data does not fit their shape", async () => {
    const prepare: Objective<"masked-lm">["prepare"] = (batch, moment) => {
      const { feeds } = sound.prepare(batch, moment);
      const { shape } = feeds["slots.weight"] as Prepared["feeds"][string];
      return { feeds: { ...feeds, extra: { dtype: "f32", shape, data: new Float32Array(1) } } };
    };
    expect(await failures({ ...sound, prepare })).toContain("declares feeds whose data fits their shape");
  });

  it("finds a gradient that is cut off", async () => {
    const loss: Objective<"masked-lm">["loss"] = (scope, model, feeds) => {
      const {
        loss: { sum, weight },
      } = sound.loss(scope, model, feeds);
      return { loss: { sum: sum.add(sum.detach()), weight }, metrics: {} };
    };
    expect(await failures({ ...sound, loss })).toEqual(["has the gradient that finite differences give"]);
  });
});
