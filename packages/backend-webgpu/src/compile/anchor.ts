/**
 * The writer of anchor kernels (matmul, scatterAdd, flash attention). An anchor's text comes from a template. This file
 * adds loaders, which read or compute the operands, and storers, which apply the epilogue to the results and store
 * them. The algorithm itself is in the template alone.
 */
import { UnsupportedError } from "@cloze/errors";
import { isOp, sizeOf, type Node, type Tensor } from "@cloze/graph";
import { attentionTemplates } from "../attention/templates.ts";
import type { Kernel, Loader, Part, Scratch, Storage, Storer } from "../kernel.ts";
import type { MatmulSpec } from "../matmul-spec.ts";
import { matmulPart, type Tile } from "../matmul/index.ts";
import { scatterParts } from "../scatter/scatter.ts";
import { axesOf, divide, Index, modulo, variable, type Lin } from "./index-expr.ts";
import { sizesOf } from "./join.ts";
import { KernelText } from "./kernel-text.ts";
import type { Problem, Unit } from "./units.ts";
import { wgslType, type Lanes } from "./wgsl-ops.ts";
import { emitterFor, pathOf, writeJoin, writeRoots, type Context } from "./write.ts";

/** A result of a template, in a register when the template calls the storer. */
interface Result {
  readonly name: string;
  /** Names and extents of the storer's index arguments. */
  readonly args: readonly (readonly [name: string, extent: number])[];
  readonly node: Tensor;
  /** The values that the storer computes from the result and writes. */
  readonly roots: readonly Tensor[];
}

class Hooks {
  readonly text: KernelText = new KernelText();
  readonly #unit: Unit;
  readonly #context: Context;

  constructor(unit: Unit, context: Context) {
    this.#unit = unit;
    this.#context = context;
  }

  /** A WGSL function from indices to an element of `x`. The indices `at` address `x` as if it had the shape `shape`. */
  loader(
    name: string,
    x: Tensor,
    args: readonly (readonly [name: string, extent: number])[],
    at: readonly Lin[],
    shape: readonly number[],
  ): Loader {
    const element = x.dtype === "f16" ? "f16" : x.dtype === "bf16" ? "f32" : x.dtype;
    const wide =
      shape.length > 0 && (shape.at(-1) as number) % 4 === 0 && x.rank > 0 && (x.shape.at(-1) as number) % 4 === 0;
    for (const lanes of wide ? ([1, 4] as const) : ([1] as const)) {
      const e = emitterFor(this.#unit, this.text, this.#context);
      const value = e.value(x, Index.at(shape, at, lanes).reshaped(x.shape));
      const type = lanes === 4 ? `vec4<${element}>` : element;
      const computed = wgslType(x.dtype, lanes);
      if (element === "f16") this.text.needF16();
      e.line(`return ${computed === type ? value : `${type}(${value})`};`);
      this.text.functions.push(
        `fn ${name}${lanes === 4 ? "x4" : ""}(${args.map(([n]) => `${n}: u32`).join(", ")}) -> ${type} ` +
          `{\n${e.lines.map((l) => `  ${l}`).join("\n")}\n}`,
      );
    }
    return { name, element, ...(wide && { vec4: `${name}x4` }) };
  }

  /** A WGSL function that applies the epilogue to an element of a result and stores the roots. */
  storer({ name, args, node, roots }: Result): Storer {
    const unit = this.#unit;
    const wide = unit.wide.has(node) && roots.every((r) => unit.wide.has(r));
    for (const lanes of wide ? ([1, 4] as const) : ([1] as const)) {
      const e = emitterFor(unit, this.text, this.#context);
      const type = wgslType(node.dtype, lanes);
      e.know({ node, index: (unit.own.get(node) as Index).withLanes(lanes), text: "value" });
      writeRoots(e, unit, roots, lanes, this.#context);
      this.#storer(name, args, type, lanes, e.lines);
    }
    return { name, ...(wide && { vec4: `${name}x4` }) };
  }

  /** A WGSL function that stores a partial sum in element (split, …) of `to`. A later kernel joins the partial sums. */
  partialStorer(
    name: string,
    args: readonly (readonly [name: string, extent: number])[],
    to: Storage,
    index: string,
    wide: boolean,
  ): Storer {
    for (const lanes of wide ? ([1, 4] as const) : ([1] as const))
      this.#storer(name, args, wgslType("f32", lanes), lanes, [this.text.store(to, index, "value", lanes)]);
    return { name, ...(wide && { vec4: `${name}x4` }) };
  }

  #storer(
    name: string,
    args: readonly (readonly [name: string, extent: number])[],
    type: string,
    lanes: Lanes,
    lines: readonly string[],
  ): void {
    this.text.functions.push(
      `fn ${name}${lanes === 4 ? "x4" : ""}(${args.map(([n]) => `${n}: u32`).join(", ")}, value: ${type}) ` +
        `{\n${lines.map((l) => `  ${l}`).join("\n")}\n}`,
    );
  }

  finish(part: Part): Kernel {
    return this.text.finish(part, pathOf(this.#unit));
  }
}

/** Chooses the tile of a matmul. */
export type TileChoice = (spec: MatmulSpec) => Tile;

export function writeMatmul(unit: Unit, context: Context, tileFor: TileChoice): Kernel[] {
  const hooks = new Hooks(unit, context);
  const first = (unit.problems[0] as Problem).terms[0] as Node<"matmul">;
  const { batch, m, n, k } = sizesOf(first);
  const { transposeA, transposeB } = first.attrs;
  const element = first.args[0].dtype === "f16" ? "f16" : "f32";
  const zij = [
    ["z", batch],
    ["i", m],
    ["j", n],
  ] as const;
  const operand = (name: string, x: Tensor): Loader => {
    const [rows, cols] = x.shape.slice(-2) as [number, number];
    const lead = x.shape.slice(0, -2);
    return hooks.loader(
      name,
      x,
      [
        ["z", batch],
        ["i", rows],
        ["j", cols],
      ],
      [...axesOf(variable("z", batch), lead), variable("i", rows), variable("j", cols)],
      x.shape,
    );
  };
  const terms = unit.problems.map((p, i) =>
    p.terms.map((t, j) => {
      const {
        args: [a, b],
      } = t as Node<"matmul">;
      return { a: operand(`a${i}_${j}`, a), b: operand(`b${i}_${j}`, b) };
    }),
  );
  const sums = (storers: readonly Storer[], rowSums: readonly (Storer | undefined)[]): MatmulSpec => ({
    batch,
    m,
    n,
    k,
    transposeA,
    transposeB,
    element,
    problems: terms.map((t, i) => ({
      terms: t,
      store: storers[i] as Storer,
      ...(rowSums[i] && { rowSums: rowSums[i] }),
    })),
  });
  const some: Storer = { name: "store" };
  const tile = tileFor(
    sums(
      unit.problems.map(() => some),
      unit.problems.map((p) => p.rowSums && some),
    ),
  );
  if (tile.splits === 1) {
    const storers = unit.problems.map((p, i) =>
      hooks.storer({ name: `st_${i}`, args: zij, node: p.sum, roots: p.roots }),
    );
    const rowSums = unit.problems.map(
      (p, i) =>
        p.rowSums &&
        hooks.storer({
          name: `sum_${i}`,
          args: [
            ["z", 1],
            ["o", m],
          ],
          node: p.rowSums.heavy,
          roots: p.rowSums.roots,
        }),
    );
    return [hooks.finish(matmulPart(sums(storers, rowSums), tile, context.profile))];
  }
  const size = batch * m * n;
  const partials = unit.problems.map((_, i) => context.scratch(`products ${i}`, "f32", tile.splits * size));
  const partialSums = unit.problems.map((p, i) =>
    p.rowSums ? context.scratch(`row sums ${i}`, "f32", tile.splits * m) : undefined,
  );
  const storers = partials.map((to, i) =>
    hooks.partialStorer(`st_${i}`, zij, to, `(z * ${m}u + i) * ${n}u + j`, n % 4 === 0),
  );
  const rowSums = partialSums.map((to, i) =>
    to
      ? hooks.partialStorer(
          `sum_${i}`,
          [
            ["z", 1],
            ["o", m],
          ],
          to,
          `z * ${m}u + o`,
          false,
        )
      : undefined,
  );
  const main = hooks.finish(matmulPart(sums(storers, rowSums), tile, context.profile));
  const out = [main];
  const o = variable("o", size);
  const name = (end: string): string => `${main.name} ${end}`;
  out.push(
    writeJoin(
      unit,
      unit.problems.map((p, i) => ({ heavy: p.sum, partial: partials[i] as Storage, base: 0 })),
      tile.splits,
      size,
      o,
      context,
      main.name,
      (e) => {
        for (const [variableName, at] of [
          ["z", divide(o, m * n)],
          ["i", modulo(divide(o, n), m)],
          ["j", modulo(o, n)],
        ] as const)
          e.line(`let ${variableName} = ${e.index(at)};`);
      },
      unit.problems.flatMap((p) => p.roots),
    ),
  );
  const summed = unit.problems.flatMap(({ rowSums: s }, i) =>
    s ? [{ heavy: s.heavy, partial: partialSums[i] as Storage, base: 0, roots: s.roots }] : [],
  );
  if (summed.length > 0)
    out.push(
      writeJoin(
        unit,
        summed,
        tile.splits,
        m,
        variable("o", m),
        context,
        name("row sums"),
        () => {},
        summed.flatMap((s) => s.roots),
      ),
    );
  return out;
}

export function writeScatter(unit: Unit, context: Context): Kernel[] {
  const x = unit.heavies[0] as Node<"scatterAdd">;
  const [indices, updates] = x.args;
  const { size } = x.attrs;
  const count = sizeOf(indices.shape);
  const width = sizeOf(x.shape) / size;
  const flat = [count, width];
  const rows: readonly [string, number][] = [
    ["i", count],
    ["j", width],
  ];
  const write = (parts: readonly Part[], scratch: readonly Scratch[], hooks: readonly Hooks[]): Kernel[] => {
    const storages = new Map(scratch.map((s) => [s.name, context.scratch(s.name, s.element, s.size)]));
    return parts.map((part, p) => {
      const { text } = hooks[p] as Hooks;
      for (const s of scratch) {
        if (!part.uses.includes(s.name)) continue;
        text.scratch(s.name, storages.get(s.name) as Storage);
      }
      return (hooks[p] as Hooks).finish(part);
    });
  };
  const spec = (hooks: Hooks): Parameters<typeof scatterParts>[0] => ({
    count,
    width,
    size,
    index: hooks.loader("index", indices, [["i", count]], [variable("i", count)], [count]),
    update: hooks.loader("update", updates, rows, [variable("i", count), variable("j", width)], flat),
    store: hooks.storer({
      name: "store",
      args: [
        ["i", size],
        ["j", width],
      ],
      node: x,
      roots: unit.roots,
    }),
  });
  // The parts of one template share their spec, and each kernel binds only what its part uses.
  const made = scatterParts(spec(new Hooks(unit, context)), context.profile);
  return write(
    made.parts,
    made.scratch,
    made.parts.map((part) =>
      hooksFor(unit, context, (hooks) => {
        if (part.uses.includes("index"))
          hooks.loader("index", indices, [["i", count]], [variable("i", count)], [count]);
        if (part.uses.some((u) => u === "update" || u === "updatex4"))
          hooks.loader("update", updates, rows, [variable("i", count), variable("j", width)], flat);
        if (part.uses.some((u) => u === "store" || u === "storex4"))
          hooks.storer({
            name: "store",
            args: [
              ["i", size],
              ["j", width],
            ],
            node: x,
            roots: unit.roots,
          });
      }),
    ),
  );
}

function hooksFor(unit: Unit, context: Context, write: (hooks: Hooks) => void): Hooks {
  const hooks = new Hooks(unit, context);
  write(hooks);
  return hooks;
}

export function writeComposite(unit: Unit, context: Context): Kernel[] {
  const x = unit.heavies[0] as Node<"composite">;
  const { composite, params, count } = x.attrs;
  const template = attentionTemplates[composite.name];
  if (template === undefined)
    throw new UnsupportedError(`${x.path}: composite ${composite.name}: this backend has no kernel for it.`);
  const hooks = new Hooks(unit, context);
  const named = (x: Tensor): (readonly [string, number])[] => x.shape.map((d, i) => [`x${i}`, d] as const);
  const loaders = x.args.map((a, i) =>
    hooks.loader(
      `arg${i}`,
      a,
      named(a),
      a.shape.map((d, k) => variable(`x${k}`, d)),
      a.shape,
    ),
  );
  const storers = Array.from({ length: count }, (_, index) => {
    const heavy = unit.heavies.find((h) => isOp(h, "composite") && h.attrs.index === index);
    return heavy && hooks.storer({ name: `out${index}`, args: named(heavy), node: heavy, roots: rootsOf(unit, heavy) });
  });
  const stream = Number(params["dropoutRate"]) > 0 ? hooks.text.param(Number(params["dropoutStream"])) : "0u";
  return template(x, { loaders, storers, stream }, context.profile).map((part) => hooks.finish(part));
}

/** The roots of a unit that its output `heavy` leads to. */
function rootsOf(unit: Unit, heavy: Tensor): Tensor[] {
  return unit.roots.filter((r) => unit.origin.get(r) === heavy);
}
