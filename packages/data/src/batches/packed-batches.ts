/**
 * Training batches of packed rows.
 *
 * Each sequence is start token + tokens + end token. A sequence longer than `maxSequence` is cropped to a window drawn
 * for (seed, epoch, example). The window has start and end tokens like a whole sequence, as in ESM-2 (crop, then add
 * <cls> and <eos>). A sequence never crosses a row, and `segments` keeps the attention of sequences apart. If the last
 * rows of an epoch do not fill a batch, the first rows of the next epoch fill the rest.
 */
import { ConfigError } from "@cloze/errors";
import type { TokenBatch } from "@cloze/tokenizer";
import type { PackedBatches, PackedOptions } from "./batches.ts";
import type { Dataset } from "../rows/dataset.ts";
import { fillBatch } from "./fill-batch.ts";
import { framingLength } from "./framing.ts";
import { RowPlan, type PlannedRow } from "../rows/row-plan.ts";

const ROWS_PER_WINDOW = 256;
const SMALLEST_WINDOW = 2048;

/**
 * @example
 * const data = memoryDataset([Uint8Array.of(5, 6, 7), Uint8Array.of(8)]);
 * const batches = packedBatches(data, { seed: 0, length: 8, rowsPerBatch: 1, special: { pad: 1, start: 0, end: 2 } });
 * (await batches.batchAt(0)).segments  // => Int32Array [1, 1, 1, 1, 1, 2, 2, 2]
 */
export function packedBatches(dataset: Dataset, options: PackedOptions): PackedBatches {
  const { seed, length, rowsPerBatch, special } = options;
  const maxSequence = options.maxSequence ?? length;
  const frame = framingLength(special);
  positive("rowsPerBatch", rowsPerBatch);
  positive("length", length);
  if (!(Number.isInteger(maxSequence) && maxSequence > frame && maxSequence <= length)) {
    throw new ConfigError(
      `packedBatches: expected maxSequence to be an integer from ${frame + 1} (start and end tokens and one ` +
        `more) to length ${length}, got ${maxSequence}.`,
    );
  }
  if (dataset.size === 0)
    throw new ConfigError(
      "packedBatches: expected a data set with examples, got an empty one. Check the input and the split fractions.",
    );
  const lengths = new Uint32Array(dataset.size);
  let tokens = 0;
  for (let i = 0; i < dataset.size; i++) tokens += lengths[i] = Math.min(dataset.lengthOf(i) + frame, maxSequence);
  const window =
    options.window ??
    Math.max(SMALLEST_WINDOW, Math.ceil((ROWS_PER_WINDOW * length * dataset.size) / Math.max(1, tokens)));
  positive("window", window);
  const sequencesPerRow = options.sequencesPerRow ?? length;
  positive("sequencesPerRow", sequencesPerRow);
  const plan = new RowPlan(lengths, {
    seed,
    rowLength: length,
    sequencesPerRow,
    shuffle: options.shuffle ?? true,
    window,
    orderOf: dataset.orderOf?.bind(dataset),
    places: dataset.places,
  });
  const shuffled = options.shuffle ?? true;

  return {
    async batchAt(step: number): Promise<TokenBatch> {
      checkStep(step);
      const rows: PlannedRow[] = [];
      for (let r = 0; r < rowsPerBatch; r++) rows.push(plan.rowAt(step * rowsPerBatch + r));
      return fillBatch(dataset, rows, {
        rows: rowsPerBatch,
        length,
        special,
        maxSequence,
        crop: options.crop ?? "random",
        seed,
      });
    },
    epochOf(step: number): number {
      checkStep(step);
      return plan.locate(step * rowsPerBatch).epoch;
    },
    firstStepOf: (epoch: number): number => Math.floor(plan.firstRowOf(epoch) / rowsPerBatch),
    rowsIn: (epoch: number): number => plan.rowsIn(epoch),
    fillOf(epoch: number): number {
      const { places, orderOf } = dataset;
      let shown = tokens;
      if (shuffled && places !== undefined && orderOf !== undefined) {
        const order = orderOf.call(dataset, { seed, epoch });
        shown = 0;
        for (let place = 0; place < places; place++) shown += lengths[order(place)] as number;
      }
      return shown / (plan.rowsIn(epoch) * length);
    },
    ...(dataset.handle === undefined ? {} : { recipe: { layout: "packed", dataset: dataset.handle, options } }),
  };
}

function positive(name: string, value: number): void {
  if (!Number.isInteger(value) || value < 1)
    throw new ConfigError(`packedBatches: expected ${name} to be a positive integer, got ${value}.`);
}

function checkStep(step: number): void {
  if (!Number.isSafeInteger(step) || step < 0)
    throw new ConfigError(`batchAt: expected a step of 0 or more, got ${step}.`);
}
