/**
 * The compiler from a program to kernel calls in order, with the slots to empty after each call, and the slots of
 * inputs and results.
 */
import type { Plan } from "@cloze/backend";
import { UnsupportedError } from "@cloze/errors";
import {
  bytesOf,
  isOp,
  lower,
  orderByDemand,
  peakLiveBytes,
  programRoots,
  showType,
  type Node,
  type Program,
  type Tensor,
  type TensorType,
} from "@cloze/graph";
import { Builder, type Call, type Constant, type Slot, type Value } from "./builder.ts";
import { DTYPES } from "./host.ts";
import { isNative, lowerNode, type Device } from "./kernels.ts";

export interface Result extends TensorType {
  readonly name: string;
  readonly slot: Slot;
}

export interface Step {
  readonly call: Call;
  /** Slots that nothing reads after this call. */
  readonly drop: readonly Slot[];
}

export interface Compiled {
  readonly steps: readonly Step[];
  readonly constants: readonly Constant[];
  readonly slots: number;
  readonly feeds: readonly Result[];
  readonly state: readonly Result[];
  readonly outputs: readonly Result[];
  readonly updates: readonly Result[];
  readonly guard: Slot | undefined;
  readonly plan: Plan;
}

export function compileProgram(
  given: Program,
  device: Device & { readonly name: string; readonly has: (kernel: string) => boolean },
): Compiled {
  const program = lower(given, { native: isNative });
  const roots = programRoots(program);
  const builder = new Builder(device.has);
  const values = new Map<Tensor, Value>();
  const inputs = (nodes: readonly Node<"input">[]): Result[] =>
    nodes.map((x) => {
      const slot = builder.slot();
      values.set(x, { slot, shape: x.shape });
      return { name: x.attrs.name, slot, dtype: x.dtype, shape: x.shape };
    });
  const feeds = inputs(program.feeds);
  const state = inputs(program.state);
  for (const x of orderByDemand(roots)) {
    if (!DTYPES.includes(x.dtype))
      throw new UnsupportedError(
        `${x.path || x.op}: ${showType(x)}: TensorFlow.js has no ${x.dtype}. Compute in f32, or take another backend.`,
      );
    if (isOp(x, "input")) continue;
    builder.path = x.path;
    values.set(
      x,
      lowerNode(
        x as Node,
        x.args.map((a) => values.get(a) as Value),
        builder,
        device,
      ),
    );
  }
  const taken = new Set<Slot>([...feeds, ...state].map((r) => r.slot));
  for (const { slot } of builder.constants) taken.add(slot);
  const result = ([name, x]: readonly [string, Tensor], own: boolean): Result => {
    const value = builder.full(values.get(x) as Value, x.shape);
    // A slot that becomes state must have no other owner.
    const slot = own && taken.has(value.slot) ? copy(value.slot) : value.slot;
    if (own) taken.add(slot);
    return { name, slot, dtype: x.dtype, shape: x.shape };
  };
  const copy = (x: Slot): Slot => {
    const out = builder.slot();
    builder.calls.push({ kernel: "Identity", inputs: { x }, attrs: {}, out, path: "" });
    return out;
  };
  const outputs = Object.entries(program.outputs).map((entry) => result(entry, false));
  const updates = Object.entries(program.updates).map((entry) => result(entry, true));
  const guard = program.guard && builder.full(values.get(program.guard) as Value, []).slot;
  const kept = new Set([...outputs, ...updates, ...state, ...builder.constants].map((r) => r.slot));
  if (guard !== undefined) kept.add(guard);
  return {
    steps: withDrops(builder.calls, kept),
    constants: builder.constants,
    slots: builder.slots,
    feeds,
    state,
    outputs,
    updates,
    guard,
    plan: planOf(program, builder.calls, device.name),
  };
}

const inputsOf = (call: Call): readonly Slot[] => ("random" in call ? [call.random.key] : Object.values(call.inputs));

function withDrops(calls: readonly Call[], kept: ReadonlySet<Slot>): Step[] {
  const last = new Map<Slot, Call>();
  for (const call of calls) for (const slot of [call.out, ...inputsOf(call)]) last.set(slot, call);
  const drops = new Map<Call, Slot[]>();
  for (const [slot, call] of last) if (!kept.has(slot)) drops.set(call, [...(drops.get(call) ?? []), slot]);
  return calls.map((call) => ({ call, drop: drops.get(call) ?? [] }));
}

function planOf(program: Program, calls: readonly Call[], name: string): Plan {
  const counts = new Map<string, number>();
  for (const call of calls) {
    const kernel = "random" in call ? "random bits, drawn on the host" : call.kernel;
    counts.set(kernel, (counts.get(kernel) ?? 0) + 1);
  }
  const steps = [...counts]
    .map(([kernel, count]) => ({ kernel, count }))
    .sort((a, b) => b.count - a.count || (a.kernel < b.kernel ? -1 : 1));
  return {
    backend: name,
    steps,
    stateBytes: program.state.reduce((n, s) => n + bytesOf(s), 0),
    peakBytes: peakLiveBytes(program),
  };
}
