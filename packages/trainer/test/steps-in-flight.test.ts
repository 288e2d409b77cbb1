// The loop calls a step before the previous step is done, and this does not change any result.
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { backend } from "@cloze/backend-reference";
import type { Objective } from "@cloze/objective";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { NumericError, parseMetrics, train, withoutTime, type TrainOptions } from "../src/index.ts";
import { observed } from "./observed.ts";
import { objective, resumed, tinyRun } from "./tiny.ts";

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "cloze-flight-"));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const rows = (run: string): string[] =>
  parseMetrics(readFileSync(join(run, "metrics.jsonl")), "metrics.jsonl").rows.map(withoutTime);
const quiet = { evalEvery: 0, saveEvery: 0 } as const;

/** An objective whose loss is not finite at one step (from 0). */
const failingAt = (step: number): Objective => ({
  ...objective,
  prepare(batch, moment) {
    const { feeds } = objective.prepare(batch, moment);
    const weight = feeds["slots.weight"];
    if (weight === undefined) throw new Error("expected slots.weight among the feeds of mlm");
    return moment.step !== step || moment.evaluation
      ? { feeds }
      : {
          feeds: { ...feeds, "slots.weight": { ...weight, data: new Float32Array(weight.data.length).fill(Infinity) } },
        };
  },
});

describe("steps in flight", () => {
  it("calls a step before the one ahead of it is done, and two at most", async () => {
    const { backend: engine, seen } = observed(backend());
    await train(tinyRun(dir, { ...quiet, backend: engine, until: { steps: 4 } }));
    expect(seen.events.filter((e) => e.endsWith("step 1") || /step [234]$/.test(e))).toEqual([
      "call step 1",
      "call step 2",
      "done step 1",
      "call step 3",
      "done step 2",
      "call step 4",
      "done step 3",
      "done step 4",
    ]);
  });

  it("finds nothing under way where the state is looked at", async () => {
    const { backend: engine, seen } = observed(backend());
    await train(tinyRun(dir, { backend: engine, evalEvery: 3, saveEvery: 4, until: { steps: 8 } }));
    const open = new Set<string>();
    const looked: (readonly [string, number])[] = [];
    for (const event of seen.events) {
      const [what, ...name] = event.split(" ");
      const which = name.join(" ");
      if (event === "read" || event === "call evaluation") looked.push([event, open.size]);
      if (name[0] === "step") {
        if (what === "call") open.add(which);
        else open.delete(which);
      }
    }
    expect(looked.length).toBeGreaterThanOrEqual(5);
    expect(looked.filter(([, n]) => n > 0)).toEqual([]);
    // Between evaluations and checkpoints, two steps are in flight.
    expect(seen.events.indexOf("call step 2")).toBeLessThan(seen.events.indexOf("done step 1"));
    expect(seen.events.indexOf("call step 4")).toBeGreaterThan(seen.events.indexOf("done step 3"));
  });

  it("an abort ends with what is under way, saved; what follows is as if nothing had happened", async () => {
    const straight = join(dir, "straight");
    const broken = join(dir, "broken");
    const stop = new AbortController();
    await train(tinyRun(straight, { ...quiet, until: { steps: 7 } }));
    const options = { ...quiet, until: { steps: 7 }, backend: observed(backend()).backend } as const;
    const halted = await train(
      tinyRun(broken, {
        ...options,
        signal: stop.signal,
        onEvent: (e) => {
          if (e.kind === "row" && e.row.step === 3) stop.abort();
        },
      }),
    );
    expect(halted).toMatchObject({ interrupted: true, steps: 4 });
    expect(halted.checkpoint).toMatch(/step-4$/);
    await train(await resumed(broken, options));
    expect(rows(broken)).toEqual(rows(straight));
  });

  it.each([1, 3])(
    "nothing happens after a step that failed (%i parts): the state is that of the step before it, and none is saved",
    async (accumulate) => {
      const good = observed(backend());
      const bad = observed(backend());
      const settings: Partial<TrainOptions> = { ...quiet, accumulate, until: { steps: 6 } };
      await train(tinyRun(join(dir, "good"), { ...settings, backend: good.backend, until: { steps: 2 } }));
      const error = await train(
        tinyRun(join(dir, "bad"), { ...settings, backend: bad.backend, objective: failingAt(2) }),
      ).then(
        () => undefined,
        (e: unknown) => e,
      );
      expect(NumericError.isInstance(error) && error.facts.step).toBe(3);
      expect(NumericError.isInstance(error) && error.facts.layer).toMatch(/slots\.weight/);
      // The fourth step was already called, with finite numbers.
      expect(bad.seen.events).toContain(`done step 4`);
      const state = (seen: typeof good.seen): unknown =>
        Object.fromEntries(Object.entries(seen.last).filter(([name]) => !/^(grad|sum)\./.test(name)));
      expect(state(bad.seen)).toEqual(state(good.seen));
      expect(readdirSync(join(dir, "bad"))).not.toContain("checkpoints");
      expect(rows(join(dir, "bad"))).toEqual(rows(join(dir, "good")).slice(0, 2));
    },
  );

  it("an engine that fails is reported by the step that failed, once nothing is under way", async () => {
    const engine = backend();
    const start = engine.start.bind(engine);
    let calls = 0;
    let open = 0;
    let openAtTheEnd = -1;
    const breaking: typeof engine = {
      ...engine,
      start: async (state) => {
        const session = await start(state);
        return {
          run: async (executable, feeds) => {
            open++;
            const call = ++calls;
            await new Promise((resolve) => void setImmediate(resolve));
            open--;
            if (call === 2) throw new Error("out of memory in run 2");
            return session.run(executable, feeds);
          },
          read: (names) => session.read(names),
          write: (values) => session.write(values),
          dispose: async () => {
            openAtTheEnd = open;
            await session.dispose();
          },
        };
      },
    };
    await expect(train(tinyRun(dir, { ...quiet, backend: breaking }))).rejects.toThrow("out of memory in run 2");
    expect(rows(dir).length).toBe(1);
    expect(openAtTheEnd).toBe(0);
  });

  it("the time of a step is from one that is done to the next", async () => {
    const steps: number[] = [];
    const began = performance.now();
    const { stepMs, seconds } = await train(
      tinyRun(dir, {
        ...quiet,
        backend: observed(backend()).backend,
        until: { steps: 12 },
        onEvent: (e) => {
          if (e.kind === "row" && e.row.type === "train") steps.push(e.row.time?.["stepMs"] as number);
        },
      }),
    );
    const sum = steps.reduce((a, b) => a + b);
    // If each step were timed from its call, two steps in flight would add up to nearly twice the real time.
    expect(sum).toBeLessThanOrEqual(performance.now() - began);
    expect(stepMs).toBeCloseTo(sum / 12, 6);
    expect(seconds).toBeGreaterThanOrEqual(sum / 1000);
  });
});
