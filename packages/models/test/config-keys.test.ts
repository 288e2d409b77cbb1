/**
 * What each key of a config.json does, against transformers 5.24 (tooling/golden/config-keys.py): the same logits, or a
 * refusal; and a refusal wherever transformers refuses.
 */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { ClozeError } from "@cloze/errors";
import { Graph, interpret } from "@cloze/graph";
import { openModel, publishedConfig, readWeights } from "@cloze/models/families";
import { rootScope } from "@cloze/nn";
import { IGNORED_KEYS, unknownKeys } from "../src/config-keys.ts";
import { floats, halves, worst, type Encoded } from "./golden.ts";

type Json = Readonly<Record<string, unknown>>;

interface Variant {
  readonly changes: Json;
  readonly raises?: string;
  readonly same?: true;
  readonly missing?: readonly string[];
  readonly logits?: Encoded;
}

interface Family {
  readonly config: Json;
  readonly weights: Readonly<Record<string, Encoded>>;
  readonly logits: Encoded;
  readonly variants: readonly Variant[];
}

const { ids, families } = JSON.parse(readFileSync(new URL("golden/config-keys.json", import.meta.url), "utf8")) as {
  readonly ids: readonly number[];
  readonly families: Readonly<Record<string, Family>>;
};

/** The logits of `ids`; undefined where the checkpoint has no masked-token head of this configuration. */
async function logitsOf({ weights: stored }: Family, config: Json): Promise<ArrayLike<number> | undefined> {
  const opened = await openModel(config);
  const { weights, heads } = await readWeights(
    opened,
    {
      shapes: new Map(Object.entries(stored).map(([name, { shape }]) => [name, shape])),
      read: async (name) => halves(stored[name] as Encoded) as Float32Array<ArrayBuffer>,
    },
    "golden",
  );
  if (!heads.includes("masked-lm")) return undefined;
  const graph = new Graph();
  const input = (name: string): ReturnType<typeof graph.input<"i32">> => graph.input(name, "i32", [1, ids.length]);
  const inputs = { ids: input("ids"), segments: input("segments"), positions: input("positions") };
  const scope = rootScope(graph);
  const states = opened.model.encode(scope, inputs).reshape([ids.length, opened.model.hidden]);
  const [logits] = interpret([opened.model.predict(scope, states)], {
    ...Object.fromEntries(Object.entries(weights).map(([name, { data }]) => [name, data])),
    ids: [...ids],
    segments: ids.map(() => 1),
    positions: ids.map((_, i) => i),
  });
  return logits?.data as ArrayLike<number>;
}

const outcomeOf = async (family: Family, config: Json): Promise<ArrayLike<number> | "refused" | undefined> => {
  try {
    return await logitsOf(family, config);
  } catch (error) {
    if (ClozeError.isInstance(error) && error.kind !== "internal") return "refused";
    throw error;
  }
};

/** Read here although this version of transformers raises: a key of its callers, and an older meaning of null. */
const READ: readonly string[] = ["return_dict", "local_rope_theta"];

/** Refused here although this version of transformers reads the base's logits: the key means another model. */
const CAUTIOUS: Readonly<Record<string, readonly string[]>> = {
  bert: [
    "is_decoder",
    "add_cross_attention",
    "is_encoder_decoder",
    "pruned_heads",
    "head_dim",
    "position_embedding_type",
    "layer_types",
    "hidden_act",
    "quantization_config",
  ],
  esm: [
    "is_decoder",
    "add_cross_attention",
    "is_encoder_decoder",
    "eos_token_id",
    "pruned_heads",
    "rope_parameters",
    "rope_scaling",
    "partial_rotary_factor",
    "is_folding_model",
    "layer_types",
    "quantization_config",
  ],
  modernbert: [
    "pad_token_id",
    "is_decoder",
    "add_cross_attention",
    "is_encoder_decoder",
    "pruned_heads",
    "rope_scaling",
    "partial_rotary_factor",
    "quantization_config",
  ],
};

describe.each(Object.entries(families))("config.json of %s", (type, family) => {
  it("gives the logits of transformers", async () => {
    expect(worst((await logitsOf(family, family.config)) ?? [], floats(family.logits))).toBeLessThan(2e-5);
  });

  it.each(family.variants.map((variant) => [JSON.stringify(variant.changes), variant] as const))(
    "%s is read as transformers reads it, or refused",
    async (_, { changes, raises, same, missing, logits }) => {
      const got = await outcomeOf(family, { ...family.config, ...changes });
      if (got === "refused") {
        const cautious = Object.keys(changes).some((key) => CAUTIOUS[type]?.includes(key) === true);
        expect(raises !== undefined || missing !== undefined || logits !== undefined || cautious).toBe(true);
      } else if (got === undefined) expect(missing).toBeDefined();
      else {
        if (Object.keys(changes).some((key) => READ.includes(key)) && raises !== undefined) return;
        expect(raises, "transformers refuses this").toBeUndefined();
        expect(missing, "transformers draws these").toBeUndefined();
        expect(worst(got, floats(same ? family.logits : (logits as Encoded)))).toBeLessThan(2e-4);
      }
    },
  );

  it("lists only keys that change nothing as ignored", () => {
    const alone = family.variants.filter(({ same, changes }) => !same && Object.keys(changes).length === 1);
    const changing = new Set(alone.flatMap(({ changes }) => Object.keys(changes)));
    const listed = [...IGNORED_KEYS.all, ...IGNORED_KEYS[type as "bert"]];
    // The id of <mask> is a field of ESM-2. return_dict is for Python's callers.
    const odd = ["mask_token_id", ...READ];
    expect(listed.filter((key) => changing.has(key) && !odd.includes(key))).toEqual([]);
  });

  it("names a key that no model knows", () => {
    expect(unknownKeys({ ...family.config, my_own_note: 1 }, type)).toContain("my_own_note");
  });
});

describe.each(["neobert", "amplify-120m", "speedrun-133m"])("config.json of %s", (name) => {
  it.each<Json>([
    { quantization_config: { quant_method: "awq" } },
    { head_dim: 8 },
    { pruned_heads: { 0: [1] } },
    { is_decoder: true },
    { rope_parameters: { rope_type: "default", rope_theta: 50 } },
    { rope_scaling: { type: "linear", factor: 2 } },
    { rope_theta: 50, rope_parameters: { rope_type: "yarn", rope_theta: 50 } },
    { partial_rotary_factor: 0.5 },
    { num_hidden_layers: null },
    { dtype: "int8" },
  ])("refuses %j", async (changes) => {
    await expect(openModel({ ...(await publishedConfig(name)), ...changes })).rejects.toSatisfy(
      (error) => ClozeError.isInstance(error) && error.kind !== "internal",
    );
  });

  it("reads plain rotary positions in the words of transformers 5", async () => {
    const config = { ...(await publishedConfig(name)), rope_theta: 50 };
    const words = { rope_parameters: { rope_type: "default", rope_theta: 50 }, rope_scaling: null };
    expect((await openModel({ ...config, ...words })).family).toBe(config["model_type" as keyof typeof config]);
  });
});
