/**
 * Shape contracts: named axes, checked when the graph is built and typed by name. The string is also the documentation.
 */
import type { Shape } from "./dtype.ts";
import { ShapeError } from "./errors.ts";

type Words<S extends string> = S extends `${infer A} ${infer B}` ? A | Words<B> : S;

/**
 * Checks x's shape against named axes and returns their sizes; `known` pins some of the sizes. "" is a scalar. A name
 * used twice must have the same size both times.
 *
 * @example
 * const { batch, hidden } = dims("encode(x)", x, "batch seq hidden", { hidden: 768 });
 */
export function dims<const S extends string>(
  what: string,
  x: { readonly shape: Shape; readonly graph?: { readonly path: string } },
  spec: S,
  known: Partial<Record<Words<S>, number>> = {},
): Record<Words<S>, number> {
  const names = spec === "" ? [] : spec.split(" ");
  const pinned = known as Readonly<Record<string, number | undefined>>;
  const out: Record<string, number> = {};
  const fits =
    names.length === x.shape.length &&
    names.every((name, i) => {
      const want = pinned[name] ?? out[name];
      const got = x.shape[i] as number;
      out[name] = got;
      return want === undefined || want === got;
    });
  if (!fits) {
    const expected = names.map((name) => (pinned[name] === undefined ? name : `${name}=${pinned[name]}`)).join(", ");
    throw new ShapeError({
      op: what,
      path: x.graph?.path ?? "",
      expected: `shape [${expected}]`,
      got: `[${x.shape.join(", ")}]`,
    });
  }
  return out as Record<Words<S>, number>;
}
