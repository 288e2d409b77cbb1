/**
 * The kernel templates of the private attention composites, by name. The compiler core uses only these for attention.
 */
import { invariant } from "@cloze/errors";
import type { Node } from "@cloze/graph";
import type { Part } from "../kernel.ts";
import type { Profile } from "../profile.ts";
import { specOf, type AttentionHooks, type AttentionSpec } from "./attention-spec.ts";
import { matrixForward, matrixGrad } from "./matrix.ts";
import { tileForward, tileGrad, tileGradBias } from "./tile.ts";
import { isMatrixTile, tileOf, type FlashKernel, type Tile } from "./tiles.ts";

export type AttentionTemplate = (node: Node<"composite">, hooks: AttentionHooks, profile: Profile) => readonly Part[];

interface Recipe {
  readonly owns: "queries" | "keys";
  /** Matrix products in the kernel. Each costs headDim multiply-adds for every pair of a query and a key. */
  readonly products: number;
  readonly text: (s: AttentionSpec, tile: Tile) => string;
}

const recipes: { readonly [K in FlashKernel]: Recipe } = {
  flashForward: {
    owns: "queries",
    products: 2,
    text: (s, tile) => (isMatrixTile(tile) ? matrixForward(s, tile) : tileForward(s, tile)),
  },
  flashGradQ: {
    owns: "queries",
    products: 3,
    text: (s, tile) => (isMatrixTile(tile) ? matrixGrad(s, tile, "queries") : tileGrad(s, tile, "queries")),
  },
  flashGradKV: {
    owns: "keys",
    products: 4,
    text: (s, tile) => (isMatrixTile(tile) ? matrixGrad(s, tile, "keys") : tileGrad(s, tile, "keys")),
  },
  flashGradBias: { owns: "queries", products: 2, text: tileGradBias },
};

const template =
  (name: FlashKernel): AttentionTemplate =>
  (node, hooks, profile) => {
    const { owns, products, text } = recipes[name];
    const s = specOf(node, hooks);
    const tile = tileOf(name, s.headDim, s.element, profile);
    if (tile === undefined)
      invariant(
        false,
        `${name}: no tile of heads of ${s.headDim} ${s.element} fits ${profile.device}: the rules should have ` +
          "left it alone",
      );
    const blocks = Math.ceil((owns === "queries" ? s.queries : s.keys) / tile.own);
    return [
      {
        name: `${name} ${tile.own}x${tile.other}x${s.headDim} ${s.element}${isMatrixTile(tile) ? " matrix" : ""}`,
        body: text(s, tile),
        enables: [
          ...(s.element === "f16" ? ["f16"] : []),
          ...(isMatrixTile(tile) ? ["subgroups", "chromium_experimental_subgroup_matrix"] : []),
        ],
        uses: [...Object.values(s.load), ...s.store.filter((x) => x !== undefined)].map((x) => x.name),
        grid:
          name === "flashGradBias"
            ? [
                blocks,
                Math.ceil(s.keys / tile.other),
                (s.bias?.oneBatch ? 1 : s.batch) * (s.bias?.oneHead ? 1 : s.heads),
              ]
            : [blocks, s.batch * s.heads, 1],
        flops: 2 * products * s.batch * s.heads * s.queries * s.keys * s.headDim,
      },
    ];
  };

export const attentionTemplates: { readonly [name: string]: AttentionTemplate } = {
  flashForward: template("flashForward"),
  flashGradQ: template("flashGradQ"),
  flashGradKV: template("flashGradKV"),
  flashGradBias: template("flashGradBias"),
};
