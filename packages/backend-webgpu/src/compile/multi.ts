/**
 * Kernels over many tensors: one kernel replaces many small ones with the same elementwise chain, or with the same sum.
 * The step of any optimizer is one dispatch over all parameters, and a gradient norm is two dispatches.
 *
 * A segment is the part of the work that belongs to one tensor. A kernel binds whole buffers as windows. A table holds
 * the first element of each operand of each segment. The kernel is therefore written only when the buffers are known. A
 * workgroup computes one block of one segment and finds its segment by bisection.
 */
import { invariant } from "@cloze/errors";
import { groups, isOp, sizeOf, type Tensor } from "@cloze/graph";
import type { Binding, Deferred, Kernel, Place, Storage, WindowKernel } from "../kernel.ts";
import { isBarrier, isHeavy, isInput, valueArgs } from "./costs.ts";
import { Emitter } from "./emitter.ts";
import { Index, variable } from "./index-expr.ts";
import { KernelText, tableOf, type Placed } from "./kernel-text.ts";
import { argumentIndex, Unit } from "./units.ts";
import { bound, flatGrid, mainOf, pathOf, temporary, workgroupFold, type Context } from "./write.ts";

/** Vectors of four that one invocation computes. */
const VECTORS = 8;

/** The reads of a segment, in the order of the kernel text. */
interface Flat {
  /** A description of the computation and its targets. Segments of one kernel have equal keys. */
  readonly key: string;
  /** Operands of the segment's size. */
  readonly operands: readonly Tensor[];
  /** Scalar operands; all segments of a kernel read the same ones. */
  readonly scalars: readonly Tensor[];
}

/** Describes a unit as a segment; undefined where the unit cannot be one. */
function flatOf(unit: Unit, context: Context): Flat | undefined {
  const sums = unit.space.kind === "reduce";
  if (
    sums
      ? !(
          unit.space.outputs === 1 &&
          unit.heavies.length === 1 &&
          unit.heavies[0]?.op === "reduceSum" &&
          unit.roots[0] === unit.heavies[0] &&
          unit.heavies[0].dtype === "f32"
        )
      : unit.space.kind !== "map"
  )
    return undefined;
  const tops = sums ? [(unit.heavies[0] as Tensor).args[0] as Tensor] : unit.roots;
  const size = sizeOf((tops[0] as Tensor).shape);
  const lines: string[] = [];
  const numbers = new Map<Tensor, number>();
  const operands: Tensor[] = [];
  const scalars: Tensor[] = [];
  const visit = (x: Tensor, index: Index): boolean => {
    if (numbers.has(x)) return true;
    if (lines.length > 200) return false;
    const place = context.unitOf(x) === unit && !isInput(x) ? undefined : context.placeOf(x);
    let line: string;
    if (place !== undefined) {
      if (sizeOf(x.shape) === 1 && size !== 1) {
        if (x.dtype === "f16") return false;
        scalars.push(x);
        line = `scalar ${x.id}`;
      } else {
        if (
          index.linear.key !== variable("i", size).key ||
          sizeOf(x.shape) !== size ||
          place.offset !== 0 ||
          place.raw ||
          place.storage.kind === "feed"
        )
          return false;
        if (x.dtype !== "f32" && !(x.dtype === "f16" && place.storage.kind === "temporary")) return false;
        operands.push(x);
        line = `${place.storage.kind} ${x.dtype}`;
      }
    } else {
      if (
        isHeavy(x) ||
        isInput(x) ||
        !(
          groups.elementwise.has(x.op) ||
          x.op === "reshape" ||
          x.op === "broadcast" ||
          x.op === "const" ||
          isBarrier(x)
        )
      )
        return false;
      for (const a of valueArgs(x)) {
        const at = argumentIndex(x, a, index);
        if (at === undefined || !visit(a, at)) return false;
      }
      const attrs =
        isOp(x, "const") || isOp(x, "cast")
          ? JSON.stringify(x.attrs, (_, v: unknown) => (typeof v === "number" && !Number.isFinite(v) ? `${v}` : v))
          : "";
      line = `${isBarrier(x) ? "same" : x.op} ${x.dtype} ${attrs} ${valueArgs(x)
        .map((a) => numbers.get(a))
        .join()}`;
    }
    numbers.set(x, lines.length);
    lines.push(line);
    return true;
  };
  for (const top of tops) {
    if (!visit(top, Index.linear(top.shape, variable("i", size)))) return undefined;
    if (sums) {
      if (!context.targetOf(unit, unit.roots[0] as Tensor).raw) return undefined;
      continue;
    }
    const to = context.targetOf(unit, top);
    if (to.raw || to.offset !== 0 || (top.dtype !== "f32" && !(top.dtype === "f16" && to.storage.kind === "temporary")))
      return undefined;
    lines.push(`root ${numbers.get(top)} ${to.storage.kind} ${top.dtype}`);
  }
  return { key: `${sums ? "sum" : "map"}\n${lines.join("\n")}`, operands, scalars };
}

/**
 * Joins units with equal keys that do not depend on each other. Units without dependencies join among themselves, for
 * the start of the program. Other units join only at equal height above the end, so that they run as late as possible.
 */
export function joinAlike(units: Unit[], context: Context): void {
  const height = new Map<Unit, number>();
  const dependents = new Map<Unit, Unit[]>();
  for (const u of units) for (const d of u.deps) dependents.set(d, [...(dependents.get(d) ?? []), u]);
  const heightOf = (start: Unit): number => {
    const stack = [start];
    for (let u = stack.at(-1); u !== undefined; u = stack.at(-1)) {
      const open = (dependents.get(u) ?? []).filter((d) => !height.has(d));
      if (open.length > 0) stack.push(...open);
      else {
        height.set(u, 1 + Math.max(0, ...(dependents.get(u) ?? []).map((d) => height.get(d) as number)));
        stack.pop();
      }
    }
    return height.get(start) as number;
  };
  const alike = new Map<string, { unit: Unit; flat: Flat }[]>();
  for (const unit of units) {
    const flat = flatOf(unit, context);
    if (flat === undefined) continue;
    const key = `${unit.deps.size === 0 ? "first" : heightOf(unit)}\n${flat.key}`;
    alike.set(key, [...(alike.get(key) ?? []), { unit, flat }]);
  }
  for (const members of alike.values()) {
    if (members.length < 2) continue;
    const joined = new Unit({ kind: "map", size: 0 });
    const gone = new Set(members.map((m) => m.unit));
    joined.group.push(...gone);
    for (const { unit } of members) {
      joined.roots.push(...unit.roots);
      for (const d of unit.deps) joined.deps.add(d);
    }
    for (let i = units.length - 1; i >= 0; i--) if (gone.has(units[i] as Unit)) units.splice(i, 1);
    for (const u of units)
      for (const d of u.deps)
        if (gone.has(d)) {
          u.deps.delete(d);
          u.deps.add(joined);
        }
    units.push(joined);
  }
}

interface Segment {
  readonly unit: Unit;
  readonly size: number;
  /** Storages of the operands, then of the targets. */
  readonly storages: readonly Storage[];
  /** Number of the segment's first block. */
  readonly start: number;
}

/** The kernels of a joined unit. */
export function writeGroup(joined: Unit, context: Context): (Kernel | Deferred)[] {
  const [model] = joined.group as [Unit];
  const sums = model.space.kind === "reduce";
  const { profile } = context;
  const width = Math.min(256, profile.limits.invocations);
  const block = width * 4 * VECTORS;
  const flats = joined.group.map((unit) => flatOf(unit, context) as Flat);
  const { scalars } = flats[0] as Flat;
  let blocks = 0;
  const segments: Segment[] = joined.group.map((unit, i) => {
    const top = sums ? ((unit.heavies[0] as Tensor).args[0] as Tensor) : (unit.roots[0] as Tensor);
    const size = sizeOf(top.shape);
    const start = blocks;
    blocks += Math.ceil(size / block);
    const targets = sums ? [] : unit.roots.map((r) => context.targetOf(unit, r).storage);
    return {
      unit,
      size,
      start,
      storages: [...(flats[i] as Flat).operands.map((x) => (context.placeOf(x) as Placed).storage), ...targets],
    };
  });
  const partials = sums ? context.scratch("partial sums", "f32", blocks) : undefined;
  const guarded =
    !sums &&
    context.guard !== undefined &&
    model.roots.some((r) => context.targetOf(model, r).storage.kind === "state");
  const scalarPlaces = [...scalars, ...(guarded ? [context.guard as Tensor] : [])].map((x) => ({
    x,
    place: context.placeOf(x) as Placed,
  }));
  const written = new Set(segments.flatMap((s) => (sums ? [] : s.storages.slice((flats[0] as Flat).operands.length))));
  const all = new Set([
    ...segments.flatMap((s) => s.storages),
    ...scalarPlaces.map((s) => s.place.storage),
    ...(partials ? [partials] : []),
  ]);
  const writesState = [...written].some((s) => s.kind === "state");
  const access = (kind: Storage["kind"]): Binding["access"] =>
    kind === "temporary" || (kind === "state" && writesState) ? "read_write" : "read";
  const kind = sums ? "sums" : `map ${[...new Set(model.roots.map((r) => r.op))].join("+")}`;
  const name = `${kind} of ${segments.length} tensors`;
  const path = pathOf(joined);

  const link = (placeOf: (s: Storage) => Place): readonly WindowKernel[] => {
    const alike = new Map<string, Segment[]>();
    for (const s of segments) {
      const key = s.storages.map((x) => placeOf(x).buffer).join();
      alike.set(key, [...(alike.get(key) ?? []), s]);
    }
    return [...alike.values()].map((members) => windowKernel(members, placeOf));
  };

  function windowKernel(members: readonly Segment[], placeOf: (s: Storage) => Place): WindowKernel {
    const text = new KernelText();
    const slots: Storage[] = [];
    const windows: { buffer: number; kind: Storage["kind"]; half: boolean }[] = [];
    const lines: string[] = [];
    const windowOf = (s: Storage): number => {
      const { buffer } = placeOf(s);
      const at = windows.findIndex((w) => w.buffer === buffer);
      if (at >= 0) return at;
      return windows.push({ buffer, kind: s.kind, half: s.element === "f16" }) - 1;
    };
    const first = members[0] as Segment;
    const { operands } = flats[segments.indexOf(first)] as Flat;
    // In the text each slot is a storage of its own. In memory it is an offset into a window.
    const slotOf = new Map<Tensor, Placed>();
    const declared: string[] = [];
    first.storages.forEach((s, k) => {
      const slot = temporary(`slot ${k}`, s.element, 0);
      const w = windowOf(s);
      const half = s.element === "f16";
      slots.push(slot);
      if (k < operands.length) slotOf.set(operands[k] as Tensor, { storage: slot, offset: 0 });
      declared.push(
        `var<private> o${k}: u32;`,
        half
          ? `fn ld${k}x4(e: u32) -> vec4<f32> { return vec4<f32>(w${w}[(o${k} + e) >> 2u]); }\nfn st${k}x4(e: u32, ` +
              `v: vec4<f32>) { w${w}[(o${k} + e) >> 2u] = vec4<f16>(v); }`
          : `fn ld${k}x4(e: u32) -> vec4<f32> { return w${w}[(o${k} + e) >> 2u]; ` +
              `}${k >= operands.length ? `\nfn st${k}x4(e: u32, v: vec4<f32>) { w${w}[(o${k} + e) >> 2u] = v; }` : ""}`,
      );
      text.slot(slot, k);
    });
    scalarPlaces.forEach(({ x, place }, j) => {
      const k = first.storages.length + j;
      const w = windowOf(place.storage);
      const at = placeOf(place.storage).offset / 4 + place.offset;
      const slot = temporary(`scalar ${j}`, place.raw ? "u32" : place.storage.element, 1);
      slotOf.set(x, { storage: slot, offset: 0, ...(place.raw && { raw: true as const }) });
      text.slot(slot, k);
      const bits = `bitcast<vec4<u32>>(w${w}[${at >> 2}u])[${at & 3}u]`;
      const type = slot.element;
      invariant(type !== "f16", "a scalar of 16 bits");
      declared.push(`fn ld${k}(e: u32) -> ${type} { return ${type === "u32" ? bits : `bitcast<${type}>(${bits})`}; }`);
    });
    const table: number[] = [];
    let at = 0;
    for (const s of members) {
      table.push(at, s.size, s.start, ...s.storages.map((x) => placeOf(x).offset / (x.element === "f16" ? 2 : 4)));
      at += Math.ceil(s.size / block);
    }
    const record = 3 + first.storages.length;
    const e = new Emitter(text, (x) => slotOf.get(x));
    const grid = flatGrid(at, profile);
    e.line(`let group = wg.x + wg.y * ${grid[0]}u;`);
    e.line(`if (group >= ${at}u) { return; }`);
    e.line(`var low = 0u; var high = ${members.length}u;`);
    e.line(
      `while (high - low > 1u) { let middle = (low + high) / 2u; if (segments[middle * ${record}u] <= group) { ` +
        "low = middle; } else { high = middle; } }",
    );
    e.line(`let record = low * ${record}u; let size = segments[record + 1u];`);
    first.storages.forEach((_, k) => e.line(`o${k} = segments[record + ${3 + k}u];`));
    e.line(`let begin = (group - segments[record]) * ${block}u + t * 4u;`);
    const unit = first.unit;
    const size = first.size;
    const index = (x: Tensor): Index => Index.linear(x.shape, variable("i", size), 4, true);
    // All sizes share one text: the loop runs over `i`, and the text holds no other number of this segment.
    const tops = sums ? [(unit.heavies[0] as Tensor).args[0] as Tensor] : unit.roots;
    if (guarded) {
      const ok = e.value(context.guard as Tensor, Index.at([], []));
      e.line(`if (!${ok}) { return; }`);
    }
    if (sums) e.line("var acc = vec4<f32>(0.0f);");
    e.block(`for (var k = 0u; k < ${bound(VECTORS, profile)}; k++)`, () => {
      e.line(`let i = begin + k * ${width * 4}u;`);
      e.line("if (i >= size) { break; }");
      const values = tops.map((x) => e.value(x, index(x)));
      // Padding follows the last element. A kernel may write it but must not add it.
      if (sums)
        e.line(
          `acc += select(vec4<f32>(0.0f), ${values[0]}, vec4<u32>(i) + vec4<u32>(0u, 1u, 2u, 3u) < vec4<u32>(size));`,
        );
      else tops.forEach((_, r) => e.line(`st${operands.length + r}x4(i, ${values[r]});`));
    });
    const fold = sums ? workgroupFold(unit.heavies[0] as Tensor, width, text, profile) : undefined;
    const half = windows.some((w) => w.half);
    if (fold && partials) {
      const w = windowOf(partials);
      const place = placeOf(partials).offset / 4;
      e.line(`let total = ${fold.name}(dot(acc, vec4<f32>(1.0f)), t);`);
      e.line(
        `if (t == 0u) { let to = ${place}u + segments[record + 2u] + group - segments[record]; w${w}[to >> ` +
          "2u][to & 3u] = total; }",
      );
    }
    windows.forEach(({ kind, half: h }, i) =>
      lines.push(`@group(0) @binding(${i}) var<storage, ${access(kind)}> w${i}: array<vec4<${h ? "f16" : "f32"}>>;`),
    );
    lines.push(`@group(0) @binding(${windows.length}) var<storage, read> segments: array<u32>;`);
    const enables = [
      ...(half ? ["enable f16;"] : []),
      ...(fold?.declare.includes("subgroup") ? ["enable subgroups;"] : []),
    ];
    const wgsl = [
      ...enables,
      ...lines,
      text.helpers(),
      ...declared,
      ...(fold ? [fold.declare] : []),
      mainOf(width, e.lines),
    ]
      .filter((l) => l !== "")
      .join("\n");
    return {
      name,
      path,
      wgsl,
      grid,
      flops: 0,
      bindings: [
        ...windows.map(({ buffer, kind }) => ({ buffer, access: access(kind) })),
        { storage: tableOf("segments", Uint32Array.from(table)), access: "read" as const },
      ],
    };
  }

  const deferred: Deferred = {
    name,
    path,
    link,
    bindings: [...all].map((storage) => ({ storage, access: access(storage.kind) })),
  };
  return partials === undefined ? [deferred] : [deferred, joinSums(joined, segments, partials, blocks, context)];
}

/** The kernel that adds the partial sums of each segment, in a fixed order. */
function joinSums(
  joined: Unit,
  segments: readonly Segment[],
  partials: Storage,
  blocks: number,
  context: Context,
): Kernel {
  const text = new KernelText();
  const width = 64;
  const e = new Emitter(text, () => undefined);
  const grid = flatGrid(segments.length, context.profile);
  const [model] = joined.group as [Unit];
  const fold = workgroupFold(model.heavies[0] as Tensor, width, text, context.profile);
  const ends = tableOf("ends", Uint32Array.from([...segments.slice(1).map((s) => s.start), blocks]));
  const targets = segments.map(({ unit }) => context.targetOf(unit, unit.roots[0] as Tensor));
  const [to] = targets as [Placed];
  const shared = targets.every((t) => t.storage === to.storage && t.raw);
  invariant(shared, `${pathOf(joined)}: sums of many tensors are scalars that share a storage`);
  const slots = tableOf("slots", Uint32Array.from(targets.map((t) => t.offset)));
  e.line(`let s = wg.x + wg.y * ${grid[0]}u;`);
  e.line(`if (s >= ${segments.length}u) { return; }`);
  e.line(`var first = 0u; if (s > 0u) { first = ${text.load(ends, "s - 1u", 1)}; }`);
  e.line("var acc = 0.0f;");
  e.block(`for (var b = first + t; b < ${text.load(ends, "s", 1)}; b += ${width}u)`, () =>
    e.line(`acc += ${text.load(partials, "b", 1)};`),
  );
  e.line(`let total = ${fold.name}(acc, t);`);
  e.block("if (t == 0u)", () => e.line(text.store(to.storage, text.load(slots, "s", 1), "bitcast<u32>(total)", 1)));
  text.functions.push(fold.declare);
  const body = mainOf(width, e.lines);
  return text.finish(
    {
      name: `sums of ${segments.length} tensors join`,
      body,
      enables: fold.declare.includes("subgroup") ? ["subgroups"] : [],
      uses: [],
      grid,
      flops: 0,
    },
    pathOf(joined),
  );
}
