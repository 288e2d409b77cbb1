import type { TrainEvent } from "@cloze/trainer";
import { expect, it } from "vitest";
import { UnsavedSteps } from "./interrupt.ts";

const row = (step: number): TrainEvent =>
  ({ kind: "row", fraction: 0, row: { type: "train", step, tokens: step, loss: 1 } }) as TrainEvent;
const saving = (step: number): TrainEvent => ({ kind: "saving", step });
const saved = (step: number): TrainEvent => ({ kind: "saved", dir: "", step });
const RESUME = "cloze pretrain --resume runs/x";

const TABLE: readonly (readonly [string, number | undefined, readonly TrainEvent[], string])[] = [
  ["no step", undefined, [], ": there was no step yet, so nothing is lost."],
  ["one step", undefined, [row(1)], ": there is no whole checkpoint yet, so 1 step is lost."],
  [
    "saving the first",
    undefined,
    [row(37), saving(37)],
    ", while the checkpoint of step 37 was being saved: there is no whole checkpoint yet, so 37 steps are lost.",
  ],
  [
    "steps after a checkpoint",
    undefined,
    [row(400), saving(400), saved(400), row(437)],
    ": the last whole checkpoint is that of step 400, and since then 37 steps are lost.",
  ],
  [
    "saving the next",
    undefined,
    [row(400), saving(400), saved(400), row(437), saving(437)],
    ", while the checkpoint of step 437 was being saved: the last whole checkpoint is that of step 400, and since then 37 steps are lost.",
  ],
  [
    "all saved",
    undefined,
    [row(400), saving(400), saved(400)],
    ": nothing is lost, the checkpoint of step 400 is whole.",
  ],
  ["a resumed run", 400, [row(401)], ": the last whole checkpoint is that of step 400, and since then 1 step is lost."],
];
for (const [name, from, events, words] of TABLE)
  it(`an end at once says what is lost: ${name}`, () => {
    const unsaved = new UnsavedSteps();
    expect(unsaved.inWords()).toBe(": training had not begun, so nothing is lost.");
    unsaved.begin(RESUME, from);
    for (const event of events) unsaved.follow(event);
    expect(unsaved.inWords()).toBe(`${words} Go on with: ${RESUME}`);
  });
