import { Graph, type Tensor } from "@cloze/graph";
import { describe, expect, it } from "vitest";
import { encoderFeeds, encoderInputs, feedTypes, slotCount, slotFeeds } from "../src/index.ts";
import { kitBatch, paddedBy, rowsOf } from "../src/kit.ts";

describe("slotCount", () => {
  it("has room for a usual batch and some more, in eights", () => {
    expect([0, 1, 8, 9, 100].map((usual) => slotCount(usual, usual))).toEqual([8, 16, 16, 24, 112]);
  });

  it("grows until all fit, through few sizes", () => {
    const sizes = Array.from({ length: 2000 }, (_, needed) => slotCount(64, needed));
    sizes.forEach((size, needed) => expect(size).toBeGreaterThanOrEqual(needed));
    expect(new Set(sizes).size).toBeLessThan(20);
  });
});

describe("slotFeeds", () => {
  it("never cuts: an unusual batch gets a larger size", () => {
    const targets = Array.from({ length: 50 }, (_, i) => ({ index: 2 * i, token: i + 5 }));
    const { "slots.index": index, "slots.target": target, "slots.weight": weight } = slotFeeds(targets, 4);
    expect(index?.shape[0]).toBeGreaterThanOrEqual(50);
    expect(Array.from(index?.data ?? []).slice(0, 50)).toEqual(targets.map((t) => t.index));
    expect(Array.from(target?.data ?? []).slice(0, 50)).toEqual(targets.map((t) => t.token));
    expect(Array.from(weight?.data ?? []).reduce((n, w) => n + w, 0)).toBe(50);
  });
});

describe("encoder feeds", () => {
  const batch = kitBatch(1, 2, 12, 2);

  it("are those of the batch, or of a corrupted copy", () => {
    expect(encoderFeeds(batch)["ids"]?.data).toBe(batch.ids);
    const ids = batch.ids.slice();
    expect(encoderFeeds(batch, ids)["ids"]?.data).toBe(ids);
    expect(feedTypes({ feeds: encoderFeeds(batch) })).toEqual({
      ids: { dtype: "i32", shape: [2, 12] },
      segments: { dtype: "i32", shape: [2, 12] },
      positions: { dtype: "i32", shape: [2, 12] },
    });
  });

  it("go back to the inputs of an encoder", () => {
    const graph = new Graph();
    const feeds: Record<string, Tensor> = {};
    for (const [name, { dtype, shape }] of Object.entries(feedTypes({ feeds: encoderFeeds(batch) })))
      feeds[name] = graph.input(name, dtype, shape);
    expect(encoderInputs(feeds)).toEqual({
      ids: feeds["ids"],
      segments: feeds["segments"],
      positions: feeds["positions"],
    });
  });
});

describe("the kit's batches", () => {
  const batch = kitBatch(3, 6, 24, 2);

  it("say where each sequence lies", () => {
    for (const [i, { example, row, start, length }] of batch.sequences.entries()) {
      expect(example).toBe(i);
      const first = row * 24 + start;
      const segment = batch.segments[first];
      expect(Array.from(batch.segments.slice(first, first + length)).every((s) => s === segment && s > 0)).toBe(true);
      expect(Array.from(batch.positions.slice(first, first + length))).toEqual(Array.from({ length }, (_, p) => p));
      expect([batch.ids[first], batch.ids[first + length - 1]]).toEqual([2, 3]);
    }
  });

  it("come in parts that keep their example numbers", () => {
    const part = rowsOf(batch, 2, 4);
    expect(part.sequences.map(({ example, row }) => [example, row])).toEqual([
      [4, 0],
      [4 + 1, 0],
      [6, 1],
      [7, 1],
    ]);
    expect(part.ids).toEqual(batch.ids.slice(48, 96));
  });

  it("take more padding at the end of each row", () => {
    const padded = paddedBy(batch, 5);
    for (let row = 0; row < 6; row++) {
      expect(padded.ids.slice(row * 29, row * 29 + 24)).toEqual(batch.ids.slice(row * 24, (row + 1) * 24));
      expect(padded.segments.slice(row * 29 + 24, (row + 1) * 29)).toEqual(new Int32Array(5));
    }
  });
});
