import { readFileSync } from "node:fs";
import { backend } from "@cloze/backend-reference";
import { float16ToNumber, type HostTensor } from "@cloze/graph";
import { createEncoder, type SequenceOutputs } from "@cloze/inference";
import { esm2, parseEsm2Config } from "@cloze/models/esm2";
import { describe, expect, it } from "vitest";
import { all, difference, encoder, model, protein, tokenizer, weights } from "./tiny.ts";

const ids = (n: number): Int32Array => tokenizer.encode(protein(n)).ids;
const everything = { logits: true, hiddenStates: true, attentions: true, contacts: true };

const flat = (outputs: SequenceOutputs | undefined): readonly Float32Array[] =>
  [outputs?.logits, ...(outputs?.hiddenStates ?? []), ...(outputs?.attentions ?? []), outputs?.contacts].map(
    (t) => t?.data ?? new Float32Array(),
  );

describe("outputs", () => {
  it("has the shapes of the sequence, without padding", async () => {
    const [seen] = await all((await encoder()).outputs([ids(5)], everything));
    expect(seen?.logits?.shape).toEqual([7, 33]);
    expect(seen?.hiddenStates?.map(({ shape }) => shape)).toEqual([
      [7, 16],
      [7, 16],
      [7, 16],
    ]);
    expect(seen?.attentions?.map(({ shape }) => shape)).toEqual([
      [2, 7, 7],
      [2, 7, 7],
    ]);
    expect(seen?.contacts?.shape).toEqual([5, 5]);
  });

  it("gives a sequence in company, in any order, what it gives it alone", async () => {
    const lengths = [5, 31, 3, 40, 6, 1, 12];
    const tiny = await encoder({ tokensPerBatch: 128 });
    const together = await all(tiny.outputs(lengths.map(ids), everything));
    for (const [i, n] of lengths.entries()) {
      const [alone] = await all((await encoder({ tokensPerBatch: 1 })).outputs([ids(n)], everything));
      flat(alone).forEach((numbers, k) => expect(difference(flat(together[i])[k] ?? [], numbers)).toBeLessThan(1e-5));
    }
  });

  it("equals a row that is exactly as long as its program", async () => {
    const n = 30;
    const [alone] = await all((await encoder()).outputs([ids(n)], everything)); // 32 with its special tokens
    const [beside] = await all((await encoder()).outputs([ids(n), ids(33)], everything));
    // A bucket of 64 for 32 real tokens: the 9 pad ids count as padding.
    const padded = [...ids(n), ...new Array<number>(9).fill(tokenizer.special.pad)];
    const [wide] = await all((await encoder()).outputs([padded], { logits: true, contacts: true }));
    flat(alone).forEach((numbers, k) => expect(difference(flat(beside)[k] ?? [], numbers)).toBeLessThan(1e-5));
    expect(difference(wide?.logits?.data.subarray(0, (n + 2) * 33) ?? [], alone?.logits?.data ?? [])).toBeLessThan(
      1e-5,
    );
  });

  it("gives the layers that are asked for", async () => {
    const tiny = await encoder();
    const [every] = await all(tiny.hiddenStates([ids(4)]));
    const [some] = await all(tiny.hiddenStates([ids(4)], [-1, 0]));
    expect(every?.length).toBe(tiny.hiddenStateCount);
    expect(some?.map(({ data }) => data)).toEqual([every?.[2]?.data, every?.[0]?.data]);
    await expect(all(tiny.hiddenStates([ids(4)], [3]))).rejects.toThrow(
      /layer: expected a whole number from -3 to 2 .*got 3/,
    );
  });

  it("reads a stream as it goes and keeps its order", async () => {
    async function* source(): AsyncGenerator<Int32Array> {
      for (let i = 0; i < 60; i++) yield ids(1 + (i % 7));
    }
    const tiny = await encoder({ tokensPerBatch: 32 });
    const seen: number[] = [];
    for await (const logits of tiny.logits(source())) seen.push(logits.shape[0] as number);
    expect(seen).toEqual(Array.from({ length: 60 }, (_, i) => 3 + (i % 7)));
  });

  it("holds a bounded part of a stream", async () => {
    let read = 0;
    let given = 0;
    let ahead = 0;
    function* source(): Generator<number[]> {
      for (let i = 0; i < 300; i++) {
        read++;
        ahead = Math.max(ahead, read - given);
        yield [0, 4 + (i % 20), 2];
      }
    }
    for await (const _ of (await encoder({ tokensPerBatch: 32 })).hiddenStates(source(), [0])) given++;
    expect(given).toBe(300);
    expect(ahead).toBeLessThanOrEqual(66); // 64 batches with one row of 32, and the row that did not fit
  });
});

describe("mistakes", () => {
  it.each([
    ["an id beyond the vocabulary", [[0, 40, 2]], /sequence 1: expected token ids from 0 to 32, got 40 at place 1/],
    ["a fraction", [[0, 4, 2], [0.5]], /sequence 2: .*got 0.5 at place 0/],
    ["nothing", [[]], /sequence 1: expected at least 1 token id, got 0/],
  ])("%s", async (_, sequences, message) => {
    await expect(all((await encoder()).logits(sequences))).rejects.toThrow(message);
  });

  it("a head that the weights lack, and only when it is asked for", async () => {
    const { "esm.contact_head.regression.weight": _, ...rest } = weights;
    const tiny = await encoder({ weights: rest });
    expect((await all(tiny.logits([ids(3)]))).length).toBe(1);
    await expect(all(tiny.contacts([ids(3)]))).rejects.toThrow(
      /expected the parameter "esm.contact_head.regression.weight", got none/,
    );
    expect((await all(tiny.logits([ids(3)]))).length).toBe(1);
  });

  it("a model that does not show its inside, and a text without a tokenizer", async () => {
    const { hidden, vocab, encode, predict } = model;
    const plain = await createEncoder({
      backend: backend(),
      model: { hidden, vocab, encode, predict },
      weights,
      padId: 1,
    });
    expect(plain.hiddenStateCount).toBe(1);
    const [ours] = await all(plain.logits([ids(3)]));
    const [theirs] = await all((await encoder()).logits([ids(3)]));
    expect(ours?.data).toEqual(theirs?.data);
    await expect(all(plain.attentions([ids(3)]))).rejects.toThrow(/does not show its attention maps/);
    await expect(all(plain.embed(["MKT"]))).rejects.toThrow(/expected an encoder with a tokenizer/);
  });
});

describe("many shapes", () => {
  it("forgets programs and makes them again", async () => {
    let compiled = 0;
    let disposed = 0;
    const inner = backend();
    const tiny = await encoder({
      backend: {
        ...inner,
        async compile(...args) {
          const made = await inner.compile(...args);
          const dispose = made.dispose.bind(made);
          compiled++;
          return Object.assign(made, {
            dispose: () => {
              disposed++;
              return dispose();
            },
          }); // the same object, because a session recognises its own executables
        },
      },
    });
    for (let layer = 0; layer < 3; layer++)
      for (let rows = 1; rows <= 12; rows++) {
        const list = Array.from({ length: rows }, () => [0, 4, 2]);
        expect(
          (await all(tiny.outputs(list, { hiddenStates: [layer], logits: rows % 2 === 0, attentions: rows % 3 === 0 })))
            .length,
        ).toBe(rows);
      }
    expect(compiled).toBeGreaterThan(32);
    expect(compiled - disposed).toBe(32);
    await tiny.dispose();
    expect(disposed).toBe(compiled);
  });
});

describe("against transformers", () => {
  interface Encoded {
    readonly shape: readonly number[];
    readonly data: string;
  }
  interface Golden {
    readonly config: unknown;
    readonly weights: Readonly<Record<string, Encoded>>;
    readonly ids: readonly (readonly number[])[];
    readonly attention_mask: readonly (readonly number[])[];
    readonly logits: Encoded;
    readonly hidden_states: readonly Encoded[];
    readonly attentions: readonly Encoded[];
    readonly contacts: Encoded;
  }
  const bytes = ({ data }: Encoded): ArrayBuffer => Uint8Array.from(Buffer.from(data, "base64")).buffer;

  it.each(["head20", "head24"])("%s: logits, hidden states, attention maps and contacts", async (name) => {
    const golden = JSON.parse(
      readFileSync(new URL(`../../models/test/golden/esm2-${name}.json`, import.meta.url), "utf8"),
    ) as Golden;
    const state = Object.fromEntries(
      Object.entries(golden.weights).map(([key, w]): [string, HostTensor] => [
        key,
        { dtype: "f32", shape: w.shape, data: Float32Array.from(new Uint16Array(bytes(w)), float16ToNumber) },
      ]),
    );
    const ours = await createEncoder({
      backend: backend(),
      model: esm2(parseEsm2Config(golden.config)),
      weights: state,
      padId: 1,
    });
    const rows = golden.ids.map((row, r) => row.filter((_, i) => golden.attention_mask[r]?.[i] === 1));
    const width = golden.ids[0]?.length ?? 0;
    const check = (got: ArrayLike<number> | undefined, at: (i: number) => number, theirs: Encoded): void => {
      const all32 = new Float32Array(bytes(theirs));
      expect(
        difference(
          got ?? [],
          Array.from(got ?? [], (_, i) => all32[at(i)] as number),
        ),
      ).toBeLessThan(1e-4);
    };
    for (const [r, seen] of (await all(ours.outputs(rows, everything))).entries()) {
      const n = rows[r]?.length ?? 0;
      const { hidden, vocab } = ours;
      check(seen.logits?.data, (i) => r * width * vocab + i, golden.logits);
      golden.hidden_states.forEach((theirs, k) =>
        check(seen.hiddenStates?.[k]?.data, (i) => r * width * hidden + i, theirs),
      );
      golden.attentions.forEach((theirs, k) =>
        check(
          seen.attentions?.[k]?.data,
          (i) => {
            const heads = theirs.shape[1] as number;
            const h = Math.floor(i / (n * n));
            const q = Math.floor(i / n) % n;
            return ((r * heads + h) * width + q) * width + (i % n);
          },
          theirs,
        ),
      );
      check(
        seen.contacts?.data,
        (i) => (r * (width - 2) + Math.floor(i / (n - 2))) * (width - 2) + (i % (n - 2)),
        golden.contacts,
      );
    }
  });
});
