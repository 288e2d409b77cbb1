/**
 * What every parameter of every published size is, and its depth, against the division by names that came before: the
 * names of embeddings and heads, and the number of the layer.
 */
import type { Parameter } from "@cloze/nn";
import { describe, expect, it } from "vitest";
import { hasHead, headNames, headParameters, openModel, publishedConfig, publishedNames } from "../src/families.ts";

const OUTSIDE_LAYERS = /embed|(^|\.)(lm_)?head\.|cls\.|decoder|classifier|qa_outputs|pooler/;

/** Whether Muon took the parameter, by its name. */
const wasMatrix = ({ name, shape }: Parameter): boolean => shape.length === 2 && !OUTSIDE_LAYERS.test(name);

function depthByName(name: string): number | undefined {
  const layer = /(?:^|\.)layers?\.(\d+)\./.exec(name)?.[1];
  if (layer !== undefined) return Number(layer) + 1;
  return /(?:^|\.)embeddings\./.test(name) ? 0 : undefined;
}

/** The families whose names say neither `embeddings` nor `layer`: the old division was wrong for them. */
const WRONG_BY_NAME = new Set(["AMPLIFY", "neobert"]);

/** All parameters of a size, of every head that it has. */
async function parametersOf(name: string): Promise<{ readonly family: string; readonly all: readonly Parameter[] }> {
  const { family, model } = await openModel(await publishedConfig(name));
  const all = new Map<string, Parameter>();
  for (const head of headNames)
    if (hasHead(model, head)) for (const [key, each] of headParameters(model, head, 3)) all.set(key, each);
  return { family, all: [...all.values()] };
}

describe.each(await publishedNames())("%s", (name) => {
  it("says of every parameter what it is and how deep it lies", async () => {
    const { family, all } = await parametersOf(name);
    const differ = all.filter(
      (p) =>
        (p.kind === "matrix") !== wasMatrix(p) ||
        p.depth !== depthByName(p.name) ||
        (p.kind === "vector") !== p.shape.length < 2,
    );
    if (!WRONG_BY_NAME.has(family)) {
      expect(differ.map((p) => `${p.name} ${p.kind} ${p.depth}`)).toEqual([]);
      return;
    }
    const of = (pattern: RegExp): readonly Parameter[] => all.filter((p) => pattern.test(p.name));
    expect(of(/(^|\.)encoder\.weight$/).map(({ kind, depth }) => [kind, depth])).toEqual([["table", 0]]);
    expect(of(/^(decoder|dense|classifier)\.weight$/).every(({ kind }) => kind === "head")).toBe(true);
    for (const p of of(/transformer_encoder\.\d+\./)) {
      expect(p.depth, p.name).toBe(Number(/transformer_encoder\.(\d+)\./.exec(p.name)?.[1]) + 1);
      expect(p.kind, p.name).toBe(p.shape.length === 2 ? "matrix" : "vector");
    }
    expect(of(/transformer_encoder/).length).toBeGreaterThan(0);
    expect(differ.every((p) => /encoder\.|transformer_encoder|layer_norm|dense|decoder|classifier/.test(p.name))).toBe(
      true,
    );
  });
});
