import { proteinTokenizer } from "@cloze/tokenizer-protein";
import { describe, expect, it } from "vitest";
import { all, difference, encoder, protein, tokenizer } from "./tiny.ts";

/** The states of one layer, computed by `hiddenStates`. */
async function states(text: string, layer = -1): Promise<Float32Array[]> {
  const [seen] = await all((await encoder()).hiddenStates([tokenizer.encode(text).ids], [layer]));
  const data = seen?.[0]?.data ?? new Float32Array();
  return Array.from({ length: data.length / 16 }, (_, i) => data.slice(i * 16, (i + 1) * 16));
}

const mean = (rows: readonly Float32Array[]): number[] =>
  Array.from({ length: 16 }, (_, c) => rows.reduce((sum, row) => sum + (row[c] as number), 0) / rows.length);

describe("embed", () => {
  it.each([0, 1, -1])("layer %i: mean over residues, the start token, each residue", async (layer) => {
    const texts = [5, 40, 1, 12].map(protein);
    const tiny = await encoder();
    const means = await all(tiny.embed(texts, { layer }));
    const starts = await all(tiny.embed(texts, { layer, pooling: "cls" }));
    const rows = await all(tiny.embed(texts, { layer, pooling: "per-token" }));
    for (const [i, text] of texts.entries()) {
      const all16 = await states(text, layer);
      const residues = all16.slice(1, -1);
      expect(means[i]).toMatchObject({ index: i, residues: text.length, windows: 1, cut: 0 });
      expect(difference(means[i]?.vectors.data ?? [], mean(residues))).toBeLessThan(1e-5);
      expect(difference(starts[i]?.vectors.data ?? [], all16[0] ?? [])).toBeLessThan(1e-5);
      expect(rows[i]?.vectors.shape).toEqual([text.length, 16]);
      expect(
        difference(
          rows[i]?.vectors.data ?? [],
          residues.flatMap((row) => [...row]),
        ),
      ).toBeLessThan(1e-5);
    }
  });

  it("averages overlapping windows of what is too long", async () => {
    const text = protein(21);
    const options = { maxLength: 12 }; // bodies of 10: starts 0, 5, 11
    const sum = Array.from({ length: 21 }, () => new Float32Array(16));
    const count = new Array<number>(21).fill(0);
    const starts: Float32Array[] = [];
    for (const start of [0, 5, 11]) {
      const [first, ...rows] = await states(text.slice(start, start + 10));
      starts.push(first as Float32Array);
      rows.slice(0, -1).forEach((row, i) => {
        count[start + i] = (count[start + i] as number) + 1;
        row.forEach((x, c) => {
          const into = sum[start + i] as Float32Array;
          into[c] = (into[c] as number) + x;
        });
      });
    }
    const residues = sum.map((row, i) => row.map((x) => x / (count[i] as number)));
    const [each] = await all((await encoder()).embed([text], { ...options, pooling: "per-token" }));
    const [middle] = await all((await encoder()).embed([text], options));
    const [start] = await all((await encoder()).embed([text], { ...options, pooling: "cls" }));
    expect(each).toMatchObject({ windows: 3, residues: 21, cut: 0 });
    expect(
      difference(
        each?.vectors.data ?? [],
        residues.flatMap((row) => [...row]),
      ),
    ).toBeLessThan(1e-5);
    expect(difference(middle?.vectors.data ?? [], mean(residues))).toBeLessThan(1e-5);
    expect(difference(start?.vectors.data ?? [], mean(starts))).toBeLessThan(1e-5);
  });

  it.each(["mean", "cls", "per-token"] as const)("several layers in one pass, %s", async (pooling) => {
    const texts = [5, 40, 12].map(protein);
    const tiny = await encoder();
    const options = { pooling, maxLength: 12, normalize: true };
    const together = await all(tiny.embed(texts, { ...options, layer: [1, 0, -1] }));
    for (const [i, layer] of [1, 0, -1].entries()) {
      const alone = await all(tiny.embed(texts, { ...options, layer }));
      for (const [t, each] of together.entries()) {
        expect(each.layers.length).toBe(3);
        expect(each.layers[i]?.shape).toEqual(alone[t]?.vectors.shape);
        expect(difference(each.layers[i]?.data ?? [], alone[t]?.vectors.data ?? [])).toBeLessThan(1e-6);
        expect(each.vectors).toBe(each.layers[0]);
        expect(alone[t]?.layers).toEqual([alone[t]?.vectors]);
      }
    }
    await expect(all(tiny.embed(texts, { layer: [] }))).rejects.toThrow(
      "layer: expected at least one layer, got none.",
    );
    await expect(all(tiny.embed(texts, { layer: [2, -1] }))).rejects.toThrow(
      "layer: expected different layers, got 2, -1",
    );
  });

  it("tells what is computed after each batch", async () => {
    const texts = [30, 3, 25, 8, 9].map(protein);
    const seen: { readonly texts: number; readonly residues: number }[] = [];
    const tiny = await encoder({ tokensPerBatch: 32 });
    await all(tiny.embed(texts, { maxLength: 12, onProgress: (progress) => seen.push(progress) }));
    expect(seen.length).toBeGreaterThan(3);
    for (const [i, { texts: count, residues }] of seen.entries()) {
      expect(count).toBeGreaterThanOrEqual(seen[i - 1]?.texts ?? 0);
      expect(residues).toBeGreaterThan(seen[i - 1]?.residues ?? 0);
    }
    expect(seen.at(-1)?.texts).toBe(5);
    expect(seen.at(-1)?.residues).toBeCloseTo(75, 9);
  });

  it("keeps the order among long and short ones", async () => {
    const lengths = [30, 3, 25, 8, 9];
    const found = await all(
      (await encoder({ tokensPerBatch: 32 })).embed(lengths.map(protein), { maxLength: 10, pooling: "per-token" }),
    );
    expect(found.map(({ index, residues, vectors }) => [index, residues, vectors.shape[0]])).toEqual(
      lengths.map((n, i) => [i, n, n]),
    );
  });

  it("truncates or refuses, as told", async () => {
    const text = protein(21);
    const tiny = await encoder();
    const [cut] = await all(tiny.embed([text], { maxLength: 12, long: "truncate", pooling: "per-token" }));
    const [short] = await all(tiny.embed([text.slice(0, 10)], { pooling: "per-token" }));
    expect(cut).toMatchObject({ residues: 10, cut: 11, windows: 1 });
    expect(cut?.vectors).toEqual(short?.vectors);
    await expect(all(tiny.embed(["MK", text], { maxLength: 12, long: "error" }))).rejects.toThrow(
      /sequence 2: expected at most 10 residues, got 21/,
    );
  });

  it("says what is wrong", async () => {
    const tiny = await encoder();
    await expect(all(tiny.embed(["MKT", " "]))).rejects.toThrow(/sequence 2: expected at least one residue, got none/);
    await expect(all(tiny.embed(["MKT"], { maxLength: 2 }))).rejects.toThrow(
      /maxLength: expected a whole number from 3, got 2/,
    );
    await expect(all(tiny.embed(["MKT"], { layer: 9 }))).rejects.toThrow(/layer: .*got 9/);
    const bare = proteinTokenizer({
      name: "bare",
      vocabulary: ["<pad>", "<unk>", "M", "K"],
      special: { pad_token: "<pad>", unk_token: "<unk>" },
    });
    await expect(all((await encoder({ tokenizer: bare })).embed(["MK"], { pooling: "cls" }))).rejects.toThrow(
      /puts no start token/,
    );
  });

  it("counts what the tokenizer replaced", async () => {
    const [only] = await all((await encoder()).embed(["mk?"]));
    expect(only?.issues).toEqual({ replaced: { m: 1, k: 1 }, unknown: { "?": 1 }, dropped: {} });
  });
});

describe("fillMask", () => {
  it("gives the softmax over the vocabulary at each mask", async () => {
    const tiny = await encoder();
    const text = "MK<mask>AY<mask><mask>K";
    const { ids } = tokenizer.encode(text);
    const masks = await tiny.fillMask(text, { top: 33 });
    const [logits] = await all(tiny.logits([ids]));
    expect(masks.map(({ position, index }) => [position, index])).toEqual([
      [3, 3],
      [6, 6],
      [7, 7],
    ]);
    for (const { index, candidates } of masks) {
      const row = Array.from(logits?.data.subarray(index * 33, (index + 1) * 33) ?? [], Math.exp);
      const sum = row.reduce((a, b) => a + b, 0);
      expect(candidates.map(({ probability }) => probability)).toEqual(
        candidates.map(({ probability }) => probability).toSorted((a, b) => b - a),
      );
      expect(
        difference(
          candidates.map(({ probability }) => probability),
          candidates.map(({ id }) => (row[id] as number) / sum),
        ),
      ).toBeLessThan(1e-6);
      expect(candidates.every(({ token, id }) => tokenizer.vocabulary[id] === token)).toBe(true);
    }
    expect((await tiny.fillMask("<mask>", { top: 2 }))[0]?.candidates.length).toBe(2);
  });

  it("wants a mask and a number", async () => {
    const tiny = await encoder();
    await expect(tiny.fillMask("MKT")).rejects.toThrow(/expected <mask> in the text, got none in "MKT"/);
    await expect(tiny.fillMask("MK<mask>", { top: 0 })).rejects.toThrow(/top: expected a whole number from 1/);
  });
});
