/**
 * A composition of several objectives over the same batch: `mlm+nsp` is BERT's, `mlm+sop` is ALBERT's.
 *
 *     loss = mean of the first + sum over the others of factor * mean
 *
 * Each objective prepares its own feeds. The model's inputs (ids, segments, positions, types) exist once: if one
 * objective changes an input, all objectives read the changed input. Two objectives that change the same input are an
 * error. The encoder runs once, because the graph holds equal nodes once.
 *
 * Names: the metrics of the first objective keep their names. Each objective's loss is `<part>.loss`. The metrics of
 * the other objectives are `<part>.<metric>`.
 */
import { ConfigError } from "@cloze/errors";
import type { HostTensor, Tensor } from "@cloze/graph";
import type { TokenBatch } from "@cloze/tokenizer";
import { encoderFeeds } from "./batch-feeds.ts";
import type { LossTerm, LossTerms, Objective, Prepared, Rows, WeightedSum } from "./objective.ts";
import { unionOfParts } from "./model-parts.ts";

export interface ComposeOptions {
  /**
   * The factor of each part's mean, by the part's name. The first part always has factor 1. Default for the others: 1.
   */
  readonly factors?: Readonly<Record<string, number>>;
}

/**
 * Composes the parts into one objective. Throws ConfigError if the parts do not fit together: two parts have the same
 * name, need different rows, or require model parts that no model has together.
 */
export function composeObjectives(parts: readonly Objective[], { factors = {} }: ComposeOptions = {}): Objective {
  const [first] = parts;
  const names = parts.map(({ name }) => name);
  const name = names.join("+");
  if (first === undefined) throw new ConfigError("composeObjectives: expected at least one objective, got none.");
  if (parts.length === 1) return first;
  const twice = names.find((each, i) => names.indexOf(each) < i);
  if (twice !== undefined)
    throw new ConfigError(`objective ${name}: expected each part once, got ${twice} twice. Leave one out.`);
  for (const [part, factor] of Object.entries(factors)) {
    if (!names.slice(1).includes(part))
      throw new ConfigError(
        `objective ${name}: factors: expected ${names.slice(1).join(" or ")}, got "${part}". The first part ` +
          "counts once; the others are weighed against it.",
      );
    if (!(Number.isFinite(factor) && factor > 0))
      throw new ConfigError(`objective ${name}: factors: expected a number above 0 for ${part}, got ${factor}.`);
  }
  return {
    name,
    requires: unionOfParts(
      parts.map(({ requires }) => requires),
      `objective ${name}`,
    ),
    rows: rowsOf(parts, name),
    comparable: first.comparable === true,
    options: {
      ...Object.fromEntries(parts.map((part) => [part.name, part.options])),
      ...(Object.keys(factors).length > 0 && { factors }),
    },
    prepare: (batch, moment) =>
      unite(
        parts.map((part) => ({ part: part.name, prepared: part.prepare(batch, moment) })),
        batch,
        name,
      ),
    loss: (scope, model, feeds) =>
      add(
        parts.map(({ name: part, loss }) => ({ part, terms: loss(scope, model, feedsOf(part, names, feeds)) })),
        factors,
      ),
  };
}

/**
 * The rows that all parts can read: pairs if a part asks for pairs, plain sequences otherwise. Throws ConfigError if
 * the parts ask for different pairs.
 */
function rowsOf(parts: readonly Objective[], name: string): Rows {
  const asking = parts.flatMap((part) => (typeof part.rows === "object" ? [{ part: part.name, rows: part.rows }] : []));
  const [one] = asking;
  if (one === undefined) return "sequences";
  const other = asking.find(({ rows }) => rows.kind !== one.rows.kind || rows.second !== one.rows.second);
  if (other !== undefined)
    throw new ConfigError(
      `objective ${name}: expected parts that read the same rows, got ${one.part} with ${one.rows.second} and ` +
        `${other.part} with ${other.rows.second} second texts. Leave one out.`,
    );
  return one.rows;
}

interface PartPrepared {
  readonly part: string;
  readonly prepared: Prepared;
}

function unite(made: readonly PartPrepared[], batch: TokenBatch, name: string): Prepared {
  const plain = encoderFeeds(batch);
  const feeds: Record<string, HostTensor> = { ...plain };
  const changedBy: Record<string, string> = {};
  const weights: Record<string, number> = {};
  for (const [i, { part, prepared }] of made.entries()) {
    for (const [feed, value] of Object.entries(prepared.feeds)) {
      const given = plain[feed];
      if (given === undefined) {
        feeds[`${part}/${feed}`] = value;
      } else if (value.data.length !== given.data.length) {
        throw new ConfigError(
          `objective ${name}: expected parts that keep the rows' shape, but ${part} changes that of ${feed}: the ` +
            `others would look in the wrong places. Use ${part} alone.`,
        );
      } else if (!sameData(value, given)) {
        if (changedBy[feed] !== undefined)
          throw new ConfigError(
            `objective ${name}: expected one part to change ${feed}, got ${changedBy[feed]} and ${part}. Leave ` +
              "one out.",
          );
        changedBy[feed] = part;
        feeds[feed] = value;
      }
    }
    const { loss, ...further } = prepared.weights ?? {};
    if (loss === undefined)
      throw new ConfigError(
        `objective ${name}: expected the weight of its loss from ${part}, got none. Let its prepare return ` +
          "weights: { loss: … }, as many as it predicts.",
      );
    weights[i === 0 ? "loss" : part] = loss;
    for (const [term, weight] of Object.entries(further)) weights[`${part}.${term}`] = weight;
  }
  return { feeds, weights };
}

const sameData = (a: HostTensor, b: HostTensor): boolean =>
  a.data === b.data || a.data.every((x, i) => x === b.data[i]);

/**
 * The feeds of one part under the part's own names, plus the model's inputs. The feeds of the other parts are left out.
 */
function feedsOf(
  part: string,
  names: readonly string[],
  feeds: Readonly<Record<string, Tensor>>,
): Readonly<Record<string, Tensor>> {
  return Object.fromEntries(
    Object.entries(feeds).flatMap(([feed, tensor]) => {
      const owner = names.find((each) => feed.startsWith(`${each}/`));
      return owner === undefined ? [[feed, tensor]] : owner === part ? [[feed.slice(part.length + 1), tensor]] : [];
    }),
  );
}

function add(
  parts: readonly { readonly part: string; readonly terms: LossTerms }[],
  factors: Readonly<Record<string, number>>,
): LossTerms {
  const [first, ...others] = parts as readonly [(typeof parts)[number], ...(typeof parts)[number][]];
  const further: Record<string, LossTerm> = {};
  const metrics: Record<string, WeightedSum> = { ...first.terms.metrics };
  for (const { part, terms } of parts) {
    const factor = factors[part] ?? 1;
    metrics[`${part}.loss`] = terms.loss;
    for (const [term, each] of Object.entries(terms.further ?? {}))
      further[`${part}.${term}`] = { ...each, factor: each.factor * factor };
  }
  for (const { part, terms } of others) {
    further[part] = { ...terms.loss, factor: factors[part] ?? 1 };
    for (const [metric, sum] of Object.entries(terms.metrics)) metrics[`${part}.${metric}`] = sum;
  }
  return { loss: first.terms.loss, further, metrics, ...(first.terms.tokens && { tokens: first.terms.tokens }) };
}
