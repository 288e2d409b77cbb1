/** A graph as text: one line a node, arguments first, each shared node once. Equal graphs give equal text. */
import { showType } from "./dtype.ts";
import type { Tensor } from "./tensor.ts";
import { order } from "./walk.ts";

/** `depth`: prints only nodes at most this many steps above the roots. Deeper nodes appear as `…`. */
export function print(roots: readonly Tensor[], options: { readonly depth?: number } = {}): string {
  const shown = options.depth === undefined ? order(roots) : near(roots, options.depth);
  const names = new Map(shown.map((x, i) => [x, `%${i}`]));
  const lines = shown.map((x) => {
    const args = x.args.map((a) => names.get(a) ?? `…:${showType(a)}`).join(", ");
    const attrs = showAttrs(x.attrs);
    const name =
      "composite" in x.attrs ? x.attrs.composite.name + (x.attrs.count > 1 ? `.${x.attrs.index}` : "") : x.op;
    return `${names.get(x)} = ${name}(${args})${attrs && ` ${attrs}`} : ${showType(x)}${x.path && `  # ${x.path}`}`;
  });
  return [...lines, `return ${roots.map((r) => names.get(r)).join(", ")}`].join("\n");
}

function near(roots: readonly Tensor[], depth: number): Tensor[] {
  let layer = new Set(roots);
  const seen = new Set(roots);
  for (let d = 0; d < depth; d++) {
    layer = new Set([...layer].flatMap((x) => x.args));
    for (const x of layer) seen.add(x);
  }
  return [...seen].sort((a, b) => a.id - b.id);
}

/** Shows -0 too: different graphs give different text. */
const show = (value: unknown): string => (Object.is(value, -0) ? "-0" : String(value));

function showAttrs(attrs: object): string {
  const shown = "composite" in attrs && "params" in attrs ? (attrs.params as object) : attrs;
  const parts = Object.entries(shown).flatMap(([key, value]) =>
    value === false ? [] : [`${key}=${Array.isArray(value) ? `[${value.map(show).join(", ")}]` : show(value)}`],
  );
  return parts.length > 0 ? `{${parts.join(" ")}}` : "";
}
