/**
 * The compiler from a program to kernels:
 *
 *   lower -> attention rules -> keep (what is stored) -> units (what runs together) -> join matmuls -> targets (what is
 *   written in place) -> order -> text
 */
import { UnsupportedError } from "@cloze/errors";
import {
  expandRules,
  lower,
  order,
  programRoots,
  rewrite,
  showType,
  simplifyRules,
  sizeOf,
  withRoots,
  type Program,
  type Tensor,
} from "@cloze/graph";
import { attentionRules } from "../attention/rules.ts";
import { attentionTemplates } from "../attention/templates.ts";
import type { Compiled, Deferred, Element, Kernel, Storage } from "../kernel.ts";
import { defaultTile } from "../matmul/index.ts";
import type { Profile } from "../profile.ts";
import { writeComposite, writeMatmul, writeScatter, type TileChoice } from "./anchor.ts";
import { isBarrier, isInput } from "./costs.ts";
import { joinMatmuls } from "./join.ts";
import { bare, keep } from "./keep.ts";
import { tableOf, type Placed } from "./kernel-text.ts";
import { joinAlike, writeGroup } from "./multi.ts";
import { inOrder } from "./schedule.ts";
import { chooseTargets, type Targets } from "./targets.ts";
import { dropUnread, formUnits, type Unit } from "./units.ts";
import { temporary, writeMap, writeReduce, writeRows, type Context } from "./write.ts";

export interface CompileProgramOptions {
  readonly profile: Profile;
  readonly compute: "f32" | "f16";
  /** Chooses the tiles of matmuls, for example by measured times. Default: the tiles of the device's family. */
  readonly tileFor?: TileChoice;
}

/** Composites that this backend runs without expansion. */
export const nativeComposites: readonly string[] = ["attention", "attentionBackward", "barrier"];

/** Prepares a program: attention becomes flash attention where possible, and every other composite is expanded. */
function lowered(program: Program, { profile, compute }: CompileProgramOptions): Program {
  const base = lower(program, { compute, native: (x) => nativeComposites.includes(x.attrs.composite.name) });
  const run = (p: Program, rules: Parameters<typeof rewrite>[1], name: string): Program =>
    withRoots(p, rewrite(programRoots(p), rules, name).roots);
  const flash = run(
    run(base, attentionRules(profile), "flash attention"),
    expandRules((x) => x.attrs.composite.name in attentionTemplates || isBarrier(x)),
    "expand composites",
  );
  return copiesOfInputs(run(flash, simplifyRules, "simplify"));
}

/** Copies each input that is also a result, because a kernel must compute every output and every update. */
function copiesOfInputs(p: Program): Program {
  return withRoots(
    p,
    programRoots(p).map((r) => (isInput(bare(r)) ? r.graph.node("broadcast", [r], { shape: r.shape }) : r)),
  );
}

export function compileProgram(given: Program, options: CompileProgramOptions): Compiled {
  const { profile } = options;
  const program = lowered(given, options);
  const roots = programRoots(program);
  const nodes = order(roots);
  for (const x of nodes) {
    if (x.dtype === "bf16")
      throw new UnsupportedError(`${x.path || x.op}: ${showType(x)}: WebGPU has no bf16. Use f16 or f32.`);
    if (x.dtype === "f16" && !profile.f16)
      throw new UnsupportedError(
        `${x.path || x.op}: ${showType(x)}: ${profile.device} has no f16 in WGSL (shader-f16). Use f32.`,
      );
  }
  const kept = keep(nodes, roots, profile);
  const formed = formUnits(kept, profile, new Set(Object.values(program.updates).map(bare)));
  dropUnread(formed, new Set(roots.map(bare)));
  joinMatmuls(formed, kept, profile);
  const inputs = new Map<Tensor, Placed>();
  const state = new Set<Tensor>(program.state);
  for (const x of [...program.state, ...program.feeds])
    inputs.set(x, {
      storage: {
        kind: state.has(x) ? "state" : "feed",
        name: x.attrs.name,
        element: elementOf(x),
        size: sizeOf(x.shape),
      },
      offset: 0,
    });
  const targets = chooseTargets(
    program,
    formed,
    kept,
    (name) => inputs.get(program.state.find((s) => s.attrs.name === name) as Tensor) as Placed,
  );
  const { placeOf, targetOf } = places(
    inputs,
    targets,
    formed.units,
    new Set(Object.values(program.outputs).map(bare)),
  );
  const context: Context = {
    profile,
    placeOf,
    targetOf,
    unitOf: (x) => formed.unitOf.get(x),
    guard: program.guard,
    scratch: (label, element, size) => temporary(label, element, size),
  };
  const tileFor: TileChoice = options.tileFor ?? ((spec) => defaultTile(spec, profile));
  joinAlike(formed.units, context);
  const kernels = inOrder(formed.units).flatMap((unit) => write(unit, context, tileFor));
  return {
    kernels,
    outputs: new Map(Object.entries(program.outputs).map(([name, x]) => [name, outputOf(x, placeOf)])),
  };
}

const elementOf = (x: Tensor): Element => (x.dtype === "bool" ? "u32" : (x.dtype as Element));

/** The storage of an output. A value without elements has no place, so it takes a table of one number. */
function outputOf(x: Tensor, placeOf: Context["placeOf"]): Storage {
  return placeOf(bare(x))?.storage ?? tableOf("empty", Uint32Array.of(0));
}

/** Gives every kept value a storage. Scalars that are no outputs share one, so that a kernel can read many of them. */
function places(
  inputs: ReadonlyMap<Tensor, Placed>,
  targets: Targets,
  units: readonly Unit[],
  outputs: ReadonlySet<Tensor>,
): Pick<Context, "placeOf" | "targetOf"> {
  const made = new Map<Tensor, Placed>();
  const scalars: Tensor[] = [];
  for (const unit of units) {
    for (const root of unit.roots) {
      if (made.has(root) || targets.commits.has(unit)) continue;
      const direct = targets.direct.get(root);
      if (direct !== undefined) made.set(root, direct);
      else if (sizeOf(root.shape) === 1 && root.dtype !== "f16" && !outputs.has(root)) scalars.push(root);
      else
        made.set(root, {
          storage: temporary(`${root.op} ${root.path}`.trim(), elementOf(root), sizeOf(root.shape)),
          offset: 0,
        });
    }
  }
  if (scalars.length > 0) {
    const storage = temporary("scalars", "u32", scalars.length);
    scalars.forEach((x, offset) => made.set(x, { storage, offset, raw: true }));
  }
  return {
    placeOf: (x) => inputs.get(x) ?? made.get(x),
    targetOf: (unit, root) => targets.commits.get(unit) ?? (made.get(root) as Placed),
  };
}

function write(unit: Unit, context: Context, tileFor: TileChoice): readonly (Kernel | Deferred)[] {
  if (unit.group.length > 0) return writeGroup(unit, context);
  if (unit.space.kind === "map") return [writeMap(unit, context)];
  if (unit.space.kind === "rows") return [writeRows(unit, context)];
  if (unit.space.kind === "reduce") return writeReduce(unit, context);
  if (unit.problems.length > 0) return writeMatmul(unit, context, tileFor);
  return unit.heavies[0]?.op === "scatterAdd" ? writeScatter(unit, context) : writeComposite(unit, context);
}
