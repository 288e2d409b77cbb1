/**
 * The writer of kernel text for units: maps, rows and reductions, and the code that anchors share with them.
 *
 * On a GPU a workgroup computes a row, and a reduction is a tree. On a software adapter barriers are expensive, so one
 * invocation computes a row or column alone. Long reductions are split: one kernel computes partial results, and a
 * second one joins them, always in the same order.
 */
import { invariant } from "@cloze/errors";
import { groups, isOp, sizeOf, type Tensor } from "@cloze/graph";
import type { Kernel, Storage } from "../kernel.ts";
import type { Profile } from "../profile.ts";
import { isInput, isReduce, valueArgs } from "./costs.ts";
import { Emitter } from "./emitter.ts";
import { divide, Index, modulo, variable, type Lin } from "./index-expr.ts";
import { KernelText, type Placed } from "./kernel-text.ts";
import { fullIndex, reducedIndex, type Unit } from "./units.ts";
import { wgslType, type Lanes } from "./wgsl-ops.ts";

/** The data about a program that the kernel writers use. */
export interface Context {
  readonly profile: Profile;
  /** The place of an input or of a kept value. */
  readonly placeOf: (x: Tensor) => Placed | undefined;
  /**
   * The place where a unit writes one of its roots. It differs from `placeOf` where a commit copies a value to state.
   */
  readonly targetOf: (unit: Unit, root: Tensor) => Placed;
  readonly unitOf: (x: Tensor) => Unit | undefined;
  readonly guard: Tensor | undefined;
  readonly scratch: (label: string, element: Storage["element"], size: number) => Storage;
}

export const temporary = (name: string, element: Storage["element"], size: number): Storage => ({
  kind: "temporary",
  name,
  element,
  size,
});

/** An emitter for the kernel of `unit`. It computes the unit's own values and loads all other kept values. */
export function emitterFor(unit: Unit, text: KernelText, context: Context): Emitter {
  return new Emitter(text, (x) =>
    !isInput(x) && (context.unitOf(x) === unit || unit.heavies.includes(x)) ? undefined : context.placeOf(x),
  );
}

/** Writes roots at their indices in the unit. It writes to state only if the program's guard is true. */
export function writeRoots(e: Emitter, unit: Unit, roots: readonly Tensor[], lanes: Lanes, context: Context): void {
  const guarded: string[] = [];
  for (const root of roots) {
    const index = (unit.own.get(root) as Index).withLanes(lanes);
    const to = context.targetOf(unit, root);
    const value = e.value(root, index);
    const stored =
      root.dtype === "bool"
        ? `select(${wgslType("u32", lanes)}(0u), ${wgslType("u32", lanes)}(1u), ${value})`
        : to.raw && root.dtype !== "u32"
          ? `bitcast<${wgslType("u32", lanes)}>(${value})`
          : value;
    const at = to.offset === 0 ? e.index(index.linear) : `${e.index(index.linear)} + ${to.offset}u`;
    const statement = e.kernel.store(to.storage, at, stored, lanes);
    if (to.storage.kind === "state" && context.guard !== undefined) guarded.push(statement);
    else e.line(statement);
  }
  if (guarded.length === 0) return;
  const ok = e.value(context.guard as Tensor, Index.at([], []));
  e.block(`if (${ok})`, () => guarded.forEach((s) => e.line(s)));
}

/**
 * A grid of at least `groupsWanted` workgroups. y is the number of rows; x, at most the device's limit, their length.
 */
export function flatGrid(groupsWanted: number, profile: Profile): readonly [number, number, number] {
  const limit = profile.limits.workgroups;
  const y = Math.max(1, Math.ceil(groupsWanted / limit));
  return [Math.max(1, Math.ceil(groupsWanted / y)), y, 1];
}

const workgroupOf = (profile: Profile): number =>
  profile.family === "software" ? 64 : Math.min(256, profile.limits.invocations);

const indent = (lines: readonly string[]): string => lines.map((l) => `  ${l}`).join("\n");

/**
 * WGSL for the end of a loop. Software adapters unroll every loop of known length, and a hundred loads then take
 * seconds to compile. For them the length is multiplied by `once`, a variable that is always 1.
 */
export const bound = (length: number, profile: Profile): string =>
  `${length}u${profile.family === "software" ? " * once" : ""}`;

/** The builtin argument and the statement that define `once`; both empty where no line uses it. */
const onceOf = (lines: readonly string[]): readonly [string, string] =>
  lines.some((l) => l.includes("* once"))
    ? [", @builtin(num_workgroups) nw: vec3<u32>", "  let once = min(nw.x, 1u);\n"]
    : ["", ""];

/** The entry point around `lines`. They can use `wg` (workgroup), `t` (invocation in the workgroup) and `once`. */
export const mainOf = (size: number, lines: readonly string[]): string =>
  `@compute @workgroup_size(${size})\nfn main(@builtin(workgroup_id) wg: vec3<u32>, ` +
  `@builtin(local_invocation_index) t: u32${onceOf(lines)[0]}) {\n${onceOf(lines)[1]}${indent(lines)}\n}`;

/** An entry point whose lines can also use `g`, the number of the invocation in a flat grid. */
const flatMain = (size: number, grid: readonly [number, number, number], lines: readonly string[]): string =>
  mainOf(size, [`let g = (wg.x + wg.y * ${grid[0]}u) * ${size}u + t;`, ...lines]);

const names = (unit: Unit): string => [...new Set(unit.roots.map((r) => r.op))].slice(0, 3).join("+");

export const pathOf = (unit: Unit): string => unit.roots.at(-1)?.path ?? "";

export function writeMap(unit: Unit, context: Context): Kernel {
  invariant(unit.space.kind === "map", "a map");
  const { size } = unit.space;
  const lanes: Lanes = size % 4 === 0 && unit.roots.every((r) => unit.wide.has(r)) ? 4 : 1;
  const text = new KernelText();
  const e = emitterFor(unit, text, context);
  const width = workgroupOf(context.profile);
  const grid = flatGrid(Math.ceil(size / lanes / width), context.profile);
  e.line(`if (g >= ${size / lanes}u) { return; }`);
  e.line(`let i = g${lanes === 4 ? " * 4u" : ""};`);
  writeRoots(e, unit, unit.roots, lanes, context);
  return text.finish(
    { name: `map ${names(unit)}`, body: flatMain(width, grid, e.lines), enables: [], uses: [], grid, flops: 0 },
    pathOf(unit),
  );
}

/** The WGSL of a reduction, over one lane or four. */
interface Fold {
  readonly type: string;
  /** The value that the accumulator begins with. */
  readonly init: string;
  /** The accumulator joined with one more value, or with another accumulator. */
  readonly step: (acc: string, value: string) => string;
  /** The lanes of `acc` joined to one value. */
  readonly lanes: (acc: string) => string;
}

function foldOf(x: Tensor, lanes: Lanes, text: KernelText): Fold {
  const from = x.args[0] as Tensor;
  const type = wgslType(from.dtype, lanes);
  const one = wgslType(from.dtype, 1);
  if (isOp(x, "reduceSum"))
    return {
      type,
      init: `${type}(0)`,
      step: (a, v) => `${a} + ${v}`,
      lanes: (a) =>
        lanes === 1 ? a : one === "f32" ? `dot(${a}, vec4<f32>(1.0f))` : `(${a}.x + ${a}.y + ${a}.z + ${a}.w)`,
    };
  const float = one === "f32";
  const max = (a: string, b: string, wide: boolean): string => {
    if (!float) return `max(${a}, ${b})`;
    text.need(wide ? "max4" : "max1");
    return `max_${wide ? "4" : ""}(${a}, ${b})`;
  };
  const init = float ? "(-bitcast<f32>(INF_BITS))" : one === "i32" ? "i32(-2147483647 - 1)" : "0u";
  if (float) text.need("inf");
  return {
    type,
    init: `${type}(${init})`,
    step: (a, v) => max(a, v, lanes === 4),
    lanes: (a) => (lanes === 1 ? a : max(max(`${a}.x`, `${a}.y`, false), max(`${a}.z`, `${a}.w`, false), false)),
  };
}

/** A WGSL function that joins the accumulators of a workgroup's invocations. Every invocation gets the result. */
export function workgroupFold(
  x: Tensor,
  width: number,
  text: KernelText,
  profile: Profile,
): { readonly name: string; readonly declare: string } {
  const fold = foldOf(x, 1, text);
  const kind = isOp(x, "reduceSum") ? "sum" : "max";
  const name = `all_${kind}_${fold.type}`;
  const sub = profile.subgroups;
  if (sub !== undefined && sub.min === sub.max && width > sub.max && fold.type !== "bool" && kind === "sum") {
    const slots = width / sub.max;
    return {
      name,
      declare: `var<workgroup> ${name}_slots: array<${fold.type}, ${slots}>;
fn ${name}(v: ${fold.type}, t: u32) -> ${fold.type} {
  workgroupBarrier();
  let s = subgroupAdd(v);
  if (t % ${sub.max}u == 0u) { ${name}_slots[t / ${sub.max}u] = s; }
  workgroupBarrier();
  var r = ${name}_slots[0];
  for (var k = 1u; k < ${slots}u; k++) { r = ${fold.step("r", `${name}_slots[k]`)}; }
  return r;
}`,
    };
  }
  return {
    name,
    declare: `var<workgroup> ${name}_slots: array<${fold.type}, ${width}>;
fn ${name}(v: ${fold.type}, t: u32) -> ${fold.type} {
  workgroupBarrier();
  ${name}_slots[t] = v;
  for (var k = ${width / 2}u; k > 0u; k >>= 1u) {
    workgroupBarrier();
    if (t < k) { ${name}_slots[t] = ${fold.step(`${name}_slots[t]`, `${name}_slots[t + k]`)}; }
  }
  workgroupBarrier();
  return ${name}_slots[0];
}`,
  };
}

/** The unit's reductions in rounds. A reduction needs only results of earlier rounds. */
function rounds(unit: Unit): Tensor[][] {
  const level = new Map<Tensor, number>();
  const memo = new Map<Tensor, number>();
  const depth = (x: Tensor): number => {
    const known = level.get(x) ?? memo.get(x);
    if (known !== undefined) return known;
    const d = isInput(x) || (isReduce(x) && !unit.heavies.includes(x)) ? 0 : Math.max(0, ...valueArgs(x).map(depth));
    memo.set(x, d);
    return d;
  };
  const out: Tensor[][] = [];
  for (const h of [...unit.heavies].sort((a, b) => a.id - b.id)) {
    const at = depth(h.args[0] as Tensor);
    level.set(h, at + 1);
    (out[at] ??= []).push(h);
  }
  return out.filter((r) => r !== undefined);
}

export function writeRows(unit: Unit, context: Context): Kernel {
  invariant(unit.space.kind === "rows", "rows");
  const { rows, cols } = unit.space;
  const { profile } = context;
  const full = unit.roots.filter(
    (r) => sizeOf(r.shape) === rows * cols && (cols > 1 || unit.own.get(r)?.key === fullIndex(unit, r).key),
  );
  const lanes: Lanes =
    cols % 4 === 0 &&
    unit.heavies.every((h) => unit.wide.has(h.args[0] as Tensor) && !isOp(h, "argMax")) &&
    full.every((r) => unit.wide.has(r))
      ? 4
      : 1;
  const alone = profile.family === "software" || cols / lanes < 16;
  const text = new KernelText();
  const e = emitterFor(unit, text, context);
  let width = workgroupOf(profile);
  if (!alone)
    for (width = 32; width < Math.min(256, profile.limits.invocations) && width * lanes * 2 <= cols; width *= 2);
  const grid = flatGrid(alone ? Math.ceil(rows / width) : rows, profile);
  const declared = new Map<string, string>();
  e.line(alone ? `if (g >= ${rows}u) { return; }` : `if (wg.x + wg.y * ${grid[0]}u >= ${rows}u) { return; }`);
  e.line(`let row = ${alone ? "g" : `wg.x + wg.y * ${grid[0]}u`};`);
  const loop = (write: () => void): void =>
    e.block(
      alone
        ? `for (var col = 0u; col < ${bound(cols, profile)}; col += ${lanes}u)`
        : `for (var col = t * ${lanes}u; col < ${cols}u; col += ${width * lanes}u)`,
      write,
    );
  for (const round of rounds(unit)) {
    const accs = round.map((h) => ({ h, fold: foldOf(h, lanes, text), acc: e.fresh("acc"), at: e.fresh("at") }));
    for (const { h, fold, acc, at } of accs) {
      e.line(`var ${acc} = ${fold.init};`);
      if (isOp(h, "argMax")) e.line(`var ${at} = ${cols}u;`);
    }
    loop(() => {
      for (const { h, fold, acc, at } of accs) {
        const operand = h.args[0] as Tensor;
        const v = e.value(operand, fullIndex(unit, operand).withLanes(lanes));
        if (isOp(h, "argMax")) e.line(`if (${at} == ${cols}u || ${v} > ${acc}) { ${acc} = ${v}; ${at} = col; }`);
        else e.line(`${acc} = ${fold.step(acc, v)};`);
      }
    });
    for (const { h, fold, acc, at } of accs) {
      let result = isOp(h, "argMax") ? argResult(h, acc, at) : fold.lanes(acc);
      if (!alone && !isOp(h, "argMax")) {
        const joined = workgroupFold(h, width, text, profile);
        declared.set(joined.name, joined.declare);
        result = `${joined.name}(${result}, t)`;
      }
      const name = e.fresh("r");
      e.line(`let ${name} = ${result};`);
      e.know({ node: h, index: unit.own.get(h) as Index, text: name });
    }
  }
  const single = unit.roots.filter((r) => !full.includes(r));
  // Computed here, before the loop, so that the loop does not compute them for every element.
  for (const r of single) if (context.unitOf(r) === unit) e.value(r, unit.own.get(r) as Index);
  if (single.length > 0) {
    if (alone) writeRoots(e, unit, single, 1, context);
    else e.block("if (t == 0u)", () => writeRoots(e, unit, single, 1, context));
  }
  if (full.length > 0) loop(() => writeRoots(e, unit, full, lanes, context));
  text.functions.push(...declared.values());
  function argResult(h: Tensor, acc: string, at: string): string {
    if (alone) return `i32(${at})`;
    const type = wgslType((h.args[0] as Tensor).dtype, 1);
    const greater = "arg_value[s] > best || (arg_value[s] == best && arg_at[s] < k)";
    const better = `arg_at[s] != ${cols}u && (k == ${cols}u || ${greater})`;
    const take = "best = arg_value[s]; k = arg_at[s];";
    declared.set(
      "all_arg",
      `var<workgroup> arg_value: array<${type}, ${width}>;\nvar<workgroup> arg_at: array<u32, ${width}>;
fn all_arg(v: ${type}, at: u32, t: u32) -> u32 {
  workgroupBarrier();
  arg_value[t] = v; arg_at[t] = at;
  workgroupBarrier();
  var best = v; var k = at;
  if (t == 0u) { for (var s = 1u; s < ${width}u; s++) { if (${better}) { ${take} } } arg_at[0] = k; }
  workgroupBarrier();
  return arg_at[0];
}`,
    );
    return `i32(all_arg(${acc}, ${at}, t))`;
  }
  const subgroups = [...declared.values()].some((d) => d.includes("subgroup"));
  const ops = [...new Set(unit.heavies.map((h) => h.op))].join("+");
  const name = `rows ${ops}${full.length > 0 ? ` ${full.length} full` : ""}`;
  return text.finish(
    { name, body: flatMain(width, grid, e.lines), enables: subgroups ? ["subgroups"] : [], uses: [], grid, flops: 0 },
    pathOf(unit),
  );
}

/** The kernels of a reduction that is not along rows: columns, whole tensors, axes in the middle. */
export function writeReduce(unit: Unit, context: Context): Kernel[] {
  invariant(unit.space.kind === "reduce", "a reduction");
  const { outputs, reduced } = unit.space;
  const { profile } = context;
  const software = profile.family === "software";
  const operands = unit.heavies.map((h) => h.args[0] as Tensor);
  const arg = unit.heavies.some((h) => isOp(h, "argMax"));
  const axesOfHeavy = (h: Tensor): readonly number[] =>
    isOp(h, "argMax") ? [h.attrs.axis] : (h.attrs as { readonly axes: readonly number[] }).axes;
  const wide = !arg && operands.every((x) => x.rank > 0 && (x.shape.at(-1) as number) % 4 === 0);
  // Four neighbours are four terms of one sum (`along`) or belong to four sums (`across`).
  const along = wide && unit.heavies.every((h, i) => axesOfHeavy(h).includes((operands[i] as Tensor).rank - 1));
  const across =
    wide &&
    unit.roots.every((r) => unit.wide.has(r)) &&
    unit.heavies.every((h, i) => !axesOfHeavy(h).includes((operands[i] as Tensor).rank - 1));
  const lanes: Lanes = along || across ? 4 : 1;
  const perOutput = across ? 4 : 1;
  const threads = outputs / perOutput;
  const together = !software && !arg && threads < 1024 && reduced >= 256 && !across;
  const width = together ? Math.min(256, profile.limits.invocations) : workgroupOf(profile);
  const step = along ? 4 : 1;
  const wanted = software ? Math.ceil(64 / threads) : together ? Math.ceil(512 / threads) : Math.ceil(32768 / threads);
  const splits = arg
    ? 1
    : Math.max(1, Math.min(wanted, Math.floor(reduced / (software ? 256 : together ? width * step * 4 : 32)), 128));

  const partials = splits > 1 ? partialsOf(unit, splits * outputs, context) : [];
  const text = new KernelText();
  const e = emitterFor(unit, text, context);
  const total = threads * splits;
  const grid = flatGrid(together ? total : Math.ceil(total / width), profile);
  const declared = new Map<string, string>();
  if (together) e.line(`let p = wg.x + wg.y * ${grid[0]}u;`);
  else e.line("let p = g;");
  e.line(`if (p >= ${total}u) { return; }`);
  const p = variable("p", total);
  e.line(`let o = ${e.index(modulo(p, threads))}${perOutput === 4 ? " * 4u" : ""};`);
  if (splits > 1) e.line(`let s = ${e.index(divide(p, threads))};`);
  const s = splits > 1 ? "s" : "0u";
  const o = variable("o", outputs);
  const r = variable("r", Math.max(1, reduced));
  const stride = splits * step * (together ? width : 1);
  const first = together ? `(${s} * ${width}u + t) * ${step}u` : `${s} * ${step}u`;
  const accs = unit.heavies.map((h) => ({ h, fold: foldOf(h, lanes, text), acc: e.fresh("acc"), at: e.fresh("at") }));
  for (const { h, fold, acc, at } of accs) {
    e.line(`var ${acc} = ${fold.init};`);
    if (isOp(h, "argMax")) e.line(`var ${at} = ${reduced}u;`);
  }
  e.block(`for (var r = ${first}; r < ${bound(reduced, profile)}; r += ${stride}u)`, () => {
    for (const { h, fold, acc, at } of accs) {
      const operand = h.args[0] as Tensor;
      const v = e.value(operand, reducedIndex(h, o, r).withLanes(lanes));
      if (isOp(h, "argMax")) e.line(`if (${at} == ${reduced}u || ${v} > ${acc}) { ${acc} = ${v}; ${at} = r; }`);
      else e.line(`${acc} = ${fold.step(acc, v)};`);
    }
  });
  const results = accs.map(({ h, fold, acc, at }) => {
    if (isOp(h, "argMax")) return `i32(${at})`;
    const one = across ? acc : fold.lanes(acc);
    if (!together) return one;
    const joined = workgroupFold(h, width, text, profile);
    declared.set(joined.name, joined.declare);
    return `${joined.name}(${one}, t)`;
  });
  text.functions.push(...declared.values());
  const enables = [...declared.values()].some((d) => d.includes("subgroup")) ? ["subgroups"] : [];
  const finish = (write: () => void): void => {
    if (together) e.block("if (t == 0u)", write);
    else write();
  };
  const outLanes: Lanes = across ? 4 : 1;
  const name = `reduce ${[...new Set(unit.heavies.map((h) => h.op))].join("+")}`;
  const flopless = { uses: [], flops: 0 };
  const named = results.map((result) => {
    const v = e.fresh("r");
    e.line(`let ${v} = ${result};`);
    return v;
  });
  if (splits === 1) {
    finish(() => {
      unit.heavies.forEach((h, i) =>
        e.know({ node: h, index: (unit.own.get(h) as Index).withLanes(outLanes), text: named[i] as string }),
      );
      writeRoots(e, unit, unit.roots, outLanes, context);
    });
    return [text.finish({ name, body: flatMain(width, grid, e.lines), enables, grid, ...flopless }, pathOf(unit))];
  }
  finish(() =>
    partials.forEach(({ partial, base }, i) =>
      e.line(text.store(partial, `${base}u + s * ${outputs}u + o`, named[i] as string, outLanes)),
    ),
  );
  const kernel = text.finish(
    { name: `${name} /${splits}`, body: flatMain(width, grid, e.lines), enables, grid, ...flopless },
    pathOf(unit),
  );
  return [kernel, writeJoin(unit, partials, splits, outputs, variable("o", outputs), context, name)];
}

const elementOf = (x: Tensor): Storage["element"] => (x.dtype === "i32" ? "i32" : x.dtype === "u32" ? "u32" : "f32");

/** The partial results of one reduction. They begin at element `base` of `partial`. */
interface Partial {
  readonly heavy: Tensor;
  readonly partial: Storage;
  readonly base: number;
}

/**
 * Storages for the partial results of a unit's reductions. There is one for each type, because a kernel can bind only
 * few storages.
 */
function partialsOf(unit: Unit, size: number, context: Context): Partial[] {
  const elements = unit.heavies.map(elementOf);
  const count = (e: string, until: number): number => elements.slice(0, until).filter((other) => other === e).length;
  const storages = new Map(
    [...new Set(elements)].map((e) => [e, context.scratch(`partial ${e}`, e, count(e, elements.length) * size)]),
  );
  return unit.heavies.map((heavy, i) => ({
    heavy,
    partial: storages.get(elements[i] as Storage["element"]) as Storage,
    base: count(elements[i] as string, i) * size,
  }));
}

/**
 * The kernel that joins partial results, in order, and then computes and writes `roots`. `o` is the flat variable of
 * the outputs.
 */
export function writeJoin(
  unit: Unit,
  parts: readonly Partial[],
  splits: number,
  size: number,
  o: Lin,
  context: Context,
  name: string,
  before: (e: Emitter, lanes: Lanes) => void = () => {},
  roots: readonly Tensor[] = unit.roots,
): Kernel {
  const lanes: Lanes =
    size % 4 === 0 && roots.every((r) => unit.wide.has(r)) && parts.every(({ heavy }) => unit.wide.has(heavy)) ? 4 : 1;
  const text = new KernelText();
  const e = emitterFor(unit, text, context);
  const width = workgroupOf(context.profile);
  const grid = flatGrid(Math.ceil(size / lanes / width), context.profile);
  e.line(`if (g >= ${size / lanes}u) { return; }`);
  e.line(`let o = g${lanes === 4 ? " * 4u" : ""};`);
  invariant(o.key === variable("o", size).key, "flat variable of a join");
  before(e, lanes);
  for (const { heavy, partial, base } of parts) {
    const fold = groups.reduce.has(heavy.op)
      ? foldOf(heavy, lanes, text)
      : {
          type: wgslType("f32", lanes),
          init: `${wgslType("f32", lanes)}(0)`,
          step: (a: string, v: string): string => `${a} + ${v}`,
        };
    const acc = e.fresh("acc");
    e.line(`var ${acc} = ${fold.init};`);
    e.block(`for (var s = 0u; s < ${bound(splits, context.profile)}; s++)`, () =>
      e.line(
        `${acc} = ${fold.step(acc, text.load(partial, `${base > 0 ? `${base}u + ` : ""}s * ${size}u + o`, lanes))};`,
      ),
    );
    const v = e.fresh("r");
    e.line(`let ${v} = ${acc};`);
    e.know({ node: heavy, index: (unit.own.get(heavy) as Index).withLanes(lanes), text: v });
  }
  writeRoots(e, unit, roots, lanes, context);
  return text.finish(
    { name: `${name} join`, body: flatMain(width, grid, e.lines), enables: [], uses: [], grid, flops: 0 },
    pathOf(unit),
  );
}
