/**
 * Tolerances: the allowed difference between a backend and the interpreter, in one table by (op class, dtype), and the
 * comparison that uses the table.
 *
 * `|got - want| <= relative * |want| + absolute * max(1, largest |want|)`: the second term allows for sums whose terms
 * cancel. NaN equals NaN, and an infinity equals itself. Integers and bools have no tolerance.
 */
import { isFloat, sameShape, showType, toNumbers, type FloatDType, type HostTensor } from "@cloze/graph";
import type { OpClass } from "./case.ts";

export interface Tolerance {
  readonly relative: number;
  readonly absolute: number;
}

const within = (relative: number, absolute: number): Tolerance => ({ relative, absolute });

export const tolerances: { readonly [C in OpClass]: { readonly [D in FloatDType]: Tolerance } } = {
  exact: { f32: within(0, 0), f16: within(0, 0), bf16: within(0, 0) },
  // A division may be off by 2.5 units in the last place. A fused chain keeps more digits than the interpreter does.
  arithmetic: { f32: within(1e-6, 1e-6), f16: within(2e-3, 1e-3), bf16: within(1.6e-2, 8e-3) },
  transcendental: { f32: within(1e-5, 2e-6), f16: within(4e-3, 2e-3), bf16: within(3.2e-2, 1.6e-2) },
  reduction: { f32: within(1e-5, 2e-6), f16: within(4e-3, 4e-3), bf16: within(3.2e-2, 3.2e-2) },
  contraction: { f32: within(1e-5, 3e-6), f16: within(4e-3, 4e-3), bf16: within(3.2e-2, 3.2e-2) },
  composite: { f32: within(3e-5, 1e-5), f16: within(1e-2, 1e-2), bf16: within(8e-2, 8e-2) },
  training: { f32: within(1e-3, 1e-4), f16: within(2e-2, 2e-2), bf16: within(1e-1, 1e-1) },
};

/** The first difference of `got` from `want`, with its place and size, and the number of differences; or undefined. */
export function difference(
  what: string,
  got: HostTensor | undefined,
  want: HostTensor,
  tolerance: OpClass,
): string | undefined {
  if (got === undefined) return `${what}: expected ${showType(want)}, got nothing`;
  if (got.dtype !== want.dtype || !sameShape(got.shape, want.shape) || got.data.length !== want.data.length) {
    return (
      `${what}: expected ${showType(want)} with ${want.data.length} elements, got ${showType(got)} with ` +
      `${got.data.length}`
    );
  }
  const a = toNumbers(got);
  const b = toNumbers(want);
  const { relative, absolute } = isFloat(want.dtype) ? tolerances[tolerance][want.dtype] : within(0, 0);
  let largest = 1;
  let wrong = 0;
  let first = -1;
  for (let i = 0; i < b.length; i++) if (Number.isFinite(b[i])) largest = Math.max(largest, Math.abs(b[i] as number));
  for (let i = 0; i < b.length; i++) {
    const x = a[i] as number;
    const y = b[i] as number;
    // An infinity is near nothing but itself.
    const near = Number.isFinite(y) && Math.abs(x - y) <= relative * Math.abs(y) + absolute * largest;
    if (near || Object.is(x, y) || x === y) continue;
    if (wrong++ === 0) first = i;
  }
  if (wrong === 0) return undefined;
  return (
    `${what} ${showType(want)}: ${wrong} of ${b.length} elements differ; element ${first}: expected ${b[first]}, ` +
    `got ${a[first]} (allowed ${relative} relative, ${absolute} absolute)`
  );
}

/** Throws an Error that lists every output that differs. */
export function expectClose(
  got: Readonly<Record<string, HostTensor>>,
  want: Readonly<Record<string, HostTensor>>,
  tolerance: OpClass,
): void {
  const problems = Object.entries(want).flatMap(
    ([name, tensor]) => difference(name, got[name], tensor, tolerance) ?? [],
  );
  const extra = Object.keys(got).filter((name) => !(name in want));
  if (extra.length > 0) problems.push(`unexpected: ${extra.join(", ")}`);
  if (problems.length > 0) throw new Error(problems.join("\n"));
}
