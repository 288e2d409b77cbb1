/**
 * What a node really reads. ONNX's elementwise operators broadcast by themselves, so a `broadcast` that only feeds one of them
 * is never made; an operator that takes a factor reads what lies behind a multiplication by a constant.
 *
 * `operandsOf` is both what is walked and what is lowered: a node that nobody reads is not emitted.
 */
import { groups, isOp, sameShape, type Shape, type Tensor } from "@cloze/graph";

/** NumPy's broadcast; the shapes are known to fit. */
export function broadcastOf(shapes: readonly Shape[]): Shape {
  const rank = Math.max(0, ...shapes.map((s) => s.length));
  return Array.from({ length: rank }, (_, i) => {
    const sizes = shapes.map((s) => s[s.length - rank + i] ?? 1);
    return sizes.find((d) => d !== 1) ?? 1;
  });
}

/** y and c of `y * c`, c a constant, as a factor of the whole of y. */
export function scaled(x: Tensor): { readonly of: Tensor; readonly by: number } {
  if (isOp(x, "mul") && x.dtype === "f32") {
    for (const [y, c] of [x.args, [x.args[1], x.args[0]]] as const) {
      if (isOp(c, "const") && sameShape(y.shape, x.shape)) return { of: y, by: Math.fround(c.attrs.value) };
    }
  }
  return { of: x, by: 1 };
}

export function operandsOf(x: Tensor): readonly Tensor[] {
  if (isOp(x, "matmul")) return x.args.map((a) => scaled(a).of);
  if (!groups.elementwise.has(x.op) || x.args.length < 2) return x.args;
  const args = [...x.args];
  args.forEach((a, i) => {
    if (!isOp(a, "broadcast")) return;
    args[i] = a.args[0];
    if (!sameShape(broadcastOf(args.map((t) => t.shape)), x.shape)) args[i] = a;
  });
  return args;
}

/** Everything `roots` need, arguments before results. */
export function reached(roots: readonly Tensor[]): readonly Tensor[] {
  const seen = new Set<Tensor>(roots), stack = [...seen];
  for (let x = stack.pop(); x !== undefined; x = stack.pop()) {
    for (const arg of operandsOf(x)) {
      if (!seen.has(arg)) {
        seen.add(arg);
        stack.push(arg);
      }
    }
  }
  return [...seen].sort((a, b) => a.id - b.id);
}
