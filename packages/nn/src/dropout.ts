/**
 * Dropout of a scope: active only in training (`scope.random`), with its own stream from the path of the scope.
 *
 * Draws belong to rows. Row r of a step has a key, the same in every part, at every padding and on every rank:
 *
 *   key[r] = threefry2x32([seed, step], [r, 0])
 *
 * A layer draws for tensors `[rows, ...]`. A head that works on single tokens, `[slots, hidden]`, gets a scope whose
 * rows are these slots: the key of a slot is the key of its row with the slot's place added to the second word.
 */
import { dropout, type AttentionOptions, type Tensor } from "@cloze/graph";
import { ConfigError } from "@cloze/errors";
import type { Scope } from "./scope.ts";

/** Shapes: x `[n, ...]` f32 -> same. Returns x itself where the rate is 0 or the scope has no randomness. */
export function dropoutLayer(scope: Scope, x: Tensor<"f32">, rate: number): Tensor<"f32"> {
  const { random } = scope;
  if (random === undefined || rate === 0) return x;
  const { key } = random;
  if (key.rank === 2 && key.shape[0] !== x.shape[0])
    throw new ConfigError(
      `dropout at "${scope.path}": expected a tensor of ${key.shape[0]} rows, as many as the scope has keys, got ` +
        `[${x.shape.join(", ")}]. For rows that are single tokens, use the scope that slotScope gives.`,
    );
  return scope.within(() => dropout(x, { rate, stream: scope.stream, key }));
}

/** The dropout option of `attention` of @cloze/graph: dropout of attention probabilities. */
export function attentionDropout(scope: Scope, rate: number): Pick<AttentionOptions, "dropout"> {
  return scope.random === undefined || rate === 0
    ? {}
    : { dropout: { rate, stream: scope.stream, key: scope.random.key } };
}

/**
 * The scope of a head that works on single tokens. `index`: i32 `[slots]`, flat places in `[rows, seq]`, in the order
 * of the head's rows; absent: all rows * seq tokens in their order.
 */
export function slotScope(scope: Scope, [rows, seq]: readonly [number, number], index?: Tensor<"i32">): Scope {
  const key = scope.random?.key;
  if (key === undefined || key.rank === 1) return scope;
  const { graph } = scope;
  const flat = index ?? graph.iota([rows * seq], 0);
  const row = flat.div(seq);
  const place = flat.sub(row.mul(seq)).cast("u32").reshape([-1, 1]);
  return scope.withRandom({ key: key.gather(row).add(place.pad([0, 1], [0, 0])) as Tensor<"u32"> });
}
