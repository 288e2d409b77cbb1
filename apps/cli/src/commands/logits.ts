/**
 * The command `cloze logits`: writes a model's outputs for token ids as a safetensors file: logits and, on request,
 * hidden states, attention maps and contacts.
 */
import { ConfigError } from "@cloze/errors";
import type { TensorSpec } from "@cloze/checkpoint";
import type { Sequence, SequenceEncoder } from "@cloze/inference";
import { command, type Command } from "../command.ts";
import { BACKEND_OPTIONS, CHECKPOINT_OPTION, PORTION_OPTION } from "../compute-options.ts";
import type { LoadedModel } from "../model-files.ts";
import { counted, columns } from "../output.ts";

type Rows = readonly (readonly number[])[];

export const logits: Command = command({
  arguments: { name: "FILE.json", option: "ids", min: 0, max: 1 },
  options: {
    ...CHECKPOINT_OPTION,
    ids: {
      kind: "string",
      value: "FILE.json",
      file: true,
      required: true,
      help: "token ids, a list of lists; special tokens included",
    },
    types: {
      kind: "string",
      value: "FILE.json",
      file: true,
      help: "token types of the same shape, 0 for the first text of a pair and 1 for the second (default: all 0)",
    },
    out: { kind: "string", value: "FILE.safetensors", required: true, help: "file to write" },
    hiddenStates: { kind: "boolean", help: "also every layer's hidden states" },
    attentions: { kind: "boolean", help: "also every layer's attention maps" },
    contacts: {
      kind: "boolean",
      help: "also contact probabilities of residue pairs, of a trained contact head: pretraining does not train it",
    },
    ...PORTION_OPTION,
    ...BACKEND_OPTIONS,
  },
  writes: { how: "whole", of: ({ options }) => options.out },
  examples: [
    {
      does: "Logits of some sequences",
      line: "cloze logits ids.json --checkpoint runs/mine --out logits.safetensors",
    },
    {
      does: "And everything inside",
      line:
        "cloze logits ids.json --checkpoint facebook/esm2_t6_8M_UR50D --out all.safetensors --hidden-states " +
        "--attentions --contacts",
    },
  ],
  notes: [
    "Rows of different length are padded at their end, and no token sees the padding; a row may itself end in " +
      "pad ids. Tensors, f32, zero where there is padding: logits [rows, longest, vocab] (not of a checkpoint " +
      "without a masked-token head); hidden_states.0 (embeddings) to hidden_states.L (last layer, after the final " +
      "norm) [rows, longest, hidden]; attentions.0 to attentions.L-1 [rows, heads, longest, longest]; contacts " +
      "[rows, longest - 2, longest - 2], without the first and last token of a row. lengths, i32 [rows], holds the " +
      "tokens of each row.",
  ],
  async run({ options, path, note, io }) {
    if (!options.out.endsWith(".safetensors"))
      throw new ConfigError(`--out ${options.out}: expected a name that ends in .safetensors.`);
    const { modelOf, outputFile, withEncoder } = await import("../encoder-options.ts");
    const { readIdLists } = await import("../id-lists.ts");
    const loaded = await modelOf(options, path);
    const { vocab } = loaded.model;
    const { refusePipesTwice } = await import("@cloze/data/node");
    await refusePipesTwice([options.ids, ...(options.types === undefined ? [] : [options.types])].map(path));
    const given = await readIdLists(path(options.ids), options.ids, vocab, undefined, io.stdin);
    const kept = withoutPadding(given, loaded.padId, options.ids, options.contacts);
    const withLogits = expectLogits(loaded, options);
    const rows =
      options.types === undefined
        ? kept
        : withTypes(
            kept,
            given,
            await readIdLists(path(options.types), options.types, loaded.model.tokenTypes ?? 1, "token type", io.stdin),
            options.types,
          );
    const longest = given.reduce((most, { length }) => Math.max(most, length), 0);
    const out = await outputFile(options.out, path);
    const started = performance.now();
    return withEncoder(options, loaded, undefined, note, async ({ encoder, backend }) => {
      const specs = specsOf(encoder, rows.length, longest, withLogits, options);
      const { enlarged, writeFilled } = await import("../filled-tensors.ts");
      await writeFilled(out, specs, { metadata: { format: "pt" } }, async (put) => {
        await put(
          "lengths",
          0,
          Int32Array.from(kept, (row) => row.length),
        );
        let row = 0;
        for await (const seen of encoder.outputs(rows, {
          logits: withLogits,
          hiddenStates: options.hiddenStates,
          attentions: options.attentions,
          contacts: options.contacts,
        })) {
          const n = kept[row]?.length ?? 0;
          if (seen.logits) await put("logits", row * longest * vocab, seen.logits.data);
          for (const [i, { data }] of (seen.hiddenStates ?? []).entries())
            await put(`hidden_states.${i}`, row * longest * encoder.hidden, data);
          for (const [
            i,
            {
              shape: [heads = 0],
              data,
            },
          ] of (seen.attentions ?? []).entries())
            await put(`attentions.${i}`, row * heads * longest ** 2, enlarged(data, n, longest));
          if (seen.contacts)
            await put("contacts", row * (longest - 2) ** 2, enlarged(seen.contacts.data, n - 2, longest - 2));
          row++;
        }
      });
      const seconds = (performance.now() - started) / 1000;
      const tensors = Object.fromEntries(specs.map(({ name, shape }) => [name, shape]));
      return {
        json: {
          out,
          checkpoint: loaded.dir,
          backend,
          rows: rows.length,
          longest,
          tokens: kept.reduce((sum, row) => sum + row.length, 0),
          tensors,
          seconds,
        },
        text: [
          `${options.out}: ${counted(rows.length, "row")} in ${seconds.toFixed(2)} s`,
          ...columns(specs.map(({ name, shape }) => [`  ${name}`, `[${shape.join(", ")}]`])),
        ],
      };
    });
  },
});

/**
 * The rows without the pad ids at their ends. The model does not run on these ids; the file holds zeros in their
 * places. Throws ConfigError for a row that is too short without them.
 */
function withoutPadding(given: Rows, padId: number, file: string, contacts: boolean): Rows {
  return given.map((row, r) => {
    const last = row.findLastIndex((id) => id !== padId);
    const kept = row.slice(0, last + 1);
    if (kept.length === 0)
      throw new ConfigError(`${file}, [${r}]: expected a token that is not padding, got only the pad id ${padId}.`);
    if (contacts && kept.length < 3)
      throw new ConfigError(
        `${file}, [${r}]: --contacts: expected a residue between a first and a last token, got ` +
          `${counted(kept.length, "token")}.`,
      );
    return kept;
  });
}

/**
 * Whether the checkpoint has logits to write. An encoder that was saved without its head has none. Throws ConfigError
 * if it has none and the user asked for no other output.
 */
function expectLogits({ heads, dir }: LoadedModel, { hiddenStates, attentions, contacts }: Flags): boolean {
  const there = heads.includes("masked-lm");
  if (!there && !hiddenStates && !attentions && !contacts)
    throw new ConfigError(
      `${dir}: expected a masked-token head, got a checkpoint without one, which has no logits. Ask for ` +
        "--hidden-states or --attentions, or use another checkpoint.",
    );
  return there;
}

function withTypes(rows: Rows, given: Rows, types: Rows, file: string): readonly Sequence[] {
  if (types.length !== given.length)
    throw new ConfigError(`${file}: expected ${counted(given.length, "list")}, as many as ids, got ${types.length}.`);
  return rows.map((ids, r) => {
    const row = types[r] ?? [];
    const expected = given[r]?.length ?? 0;
    if (row.length !== expected)
      throw new ConfigError(
        `${file}, [${r}]: expected ${counted(expected, "token type")}, as many as ids, got ${row.length}.`,
      );
    return { ids, types: row.slice(0, ids.length) };
  });
}

interface Flags {
  readonly hiddenStates: boolean;
  readonly attentions: boolean;
  readonly contacts: boolean;
}

function specsOf(
  { vocab, hidden, hiddenStateCount, attentionCount, heads }: SequenceEncoder,
  rows: number,
  longest: number,
  logits: boolean,
  { hiddenStates, attentions, contacts }: Flags,
): readonly TensorSpec[] {
  const f32 = (name: string, ...shape: number[]): TensorSpec => ({ name, dtype: "F32", shape: [rows, ...shape] });
  const numbered = (count: number, each: (i: number) => TensorSpec): TensorSpec[] =>
    Array.from({ length: count }, (_, i) => each(i));
  return [
    ...(logits ? [f32("logits", longest, vocab)] : []),
    ...(hiddenStates ? numbered(hiddenStateCount, (i) => f32(`hidden_states.${i}`, longest, hidden)) : []),
    ...(attentions ? numbered(attentionCount, (i) => f32(`attentions.${i}`, heads, longest, longest)) : []),
    ...(contacts ? [f32("contacts", longest - 2, longest - 2)] : []),
    { name: "lengths", dtype: "I32", shape: [rows] },
  ];
}
