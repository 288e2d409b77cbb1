/**
 * The operands that a node really reads. ONNX's elementwise operators broadcast by themselves, so the model omits a
 * `broadcast` whose only readers are elementwise operators. A product includes a constant factor of its operands, and a
 * bias, in its own operator.
 *
 * The walk and the lowering both use `operands`: a node without a reader is not emitted.
 */
import { groups, isOp, order, readers, sameShape, sizeOf, type Node, type Shape, type Tensor } from "@cloze/graph";

/** The shape that the shapes broadcast to by NumPy's rule. The shapes must fit. */
export function broadcastOf(shapes: readonly Shape[]): Shape {
  const rank = Math.max(0, ...shapes.map((s) => s.length));
  return Array.from({ length: rank }, (_, i) => {
    const sizes = shapes.map((s) => s[s.length - rank + i] ?? 1);
    return sizes.find((d) => d !== 1) ?? 1;
  });
}

/** Splits `y * c` into y and the constant c, where c scales the whole of y. */
export function scaled(x: Tensor): { readonly of: Tensor; readonly by: number } {
  if (isOp(x, "mul") && x.dtype === "f32") {
    for (const [y, c] of [x.args, [x.args[1], x.args[0]]] as const) {
      if (isOp(c, "const") && sameShape(y.shape, x.shape)) return { of: y, by: Math.fround(c.attrs.value) };
    }
  }
  return { of: x, by: 1 };
}

/** The bias that a product's operator can add by itself: x = matmul + [n], where no other node reads the product. */
function biased(
  x: Tensor,
  readers: ReadonlyMap<Tensor, readonly Tensor[]>,
  roots: ReadonlySet<Tensor>,
): { readonly product: Node<"matmul">; readonly bias: Tensor } | undefined {
  if (!isOp(x, "add") || x.dtype !== "f32" || x.rank !== 2 || sizeOf(x.shape) === 0) return undefined;
  for (const [product, bias] of [x.args, [x.args[1], x.args[0]]] as const) {
    const width = x.shape[1] as number;
    if (
      !isOp(product, "matmul") ||
      !sameShape(product.shape, x.shape) ||
      roots.has(product) ||
      readers.get(product)?.length !== 1
    )
      continue;
    if (
      bias !== product &&
      sizeOf(bias.shape) === width &&
      bias.shape.at(-1) === width &&
      sizeOf(product.args[0].shape) > 0
    )
      return { product, bias };
  }
  return undefined;
}

/** The operands that an elementwise operator or a product reads without a `broadcast` or a constant factor. */
function ownOperands(x: Tensor): readonly Tensor[] {
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

export interface Reading {
  /** All nodes that the roots need, arguments before results. */
  readonly nodes: readonly Tensor[];
  readonly operands: ReadonlyMap<Tensor, readonly Tensor[]>;
  /** Additions that a product performs, by node: the product, whose operands precede the bias in `operands`. */
  readonly products: ReadonlyMap<Tensor, Node<"matmul">>;
}

export function readingOf(roots: readonly Tensor[]): Reading {
  const all = readers(order(roots));
  const ends = new Set(roots);
  const operands = new Map<Tensor, readonly Tensor[]>();
  const products = new Map<Tensor, Node<"matmul">>();
  const stack = [...ends];
  for (let x = stack.pop(); x !== undefined; x = stack.pop()) {
    if (operands.has(x)) continue;
    const fused = biased(x, all, ends);
    if (fused) products.set(x, fused.product);
    const read = fused ? [...ownOperands(fused.product), fused.bias] : ownOperands(x);
    operands.set(x, read);
    stack.push(...read);
  }
  return { nodes: scheduled(roots, operands), operands, products };
}

/**
 * Nodes in an order with arguments before results. Roots with the longest path come first. (Of results that need each
 * other's parts, ONNX Runtime computes the last in the model first, so the root with the shortest path first.) In a
 * training step the gradients of a layer, and the new parameters, then follow the layer's backward pass at once, and
 * few values are alive at a time.
 */
function scheduled(roots: readonly Tensor[], operands: ReadonlyMap<Tensor, readonly Tensor[]>): readonly Tensor[] {
  const depth = new Map<Tensor, number>();
  for (const x of [...operands.keys()].sort((a, b) => a.id - b.id))
    depth.set(x, 1 + Math.max(0, ...(operands.get(x) as readonly Tensor[]).map((a) => depth.get(a) as number)));
  const done = new Set<Tensor>();
  const stack = [...new Set(roots)].sort((a, b) => (depth.get(a) as number) - (depth.get(b) as number));
  for (let x = stack.at(-1); x !== undefined; x = stack.at(-1)) {
    const pending = done.has(x) ? [] : (operands.get(x) as readonly Tensor[]).filter((a) => !done.has(a));
    if (pending.length > 0) stack.push(...pending);
    else done.add(stack.pop() as Tensor);
  }
  return [...done];
}
