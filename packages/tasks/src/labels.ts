/** The conversion between label names and label numbers, with errors for unknown labels. */
import { ConfigError } from "@cloze/errors";

export type LabelValue = string | number | boolean;

/** Distinct names in a fixed order: numbers by value, of whatever size, texts by characters. */
export function labelNames(values: Iterable<LabelValue>): readonly string[] {
  const names = [...new Set(Array.from(values, String))];
  if (names.every((name) => /^-?\d+$/.test(name)))
    return names.sort((a, b) => order(BigInt(a), BigInt(b)) || order(a, b));
  const numbers = names.every((name) => name.trim() !== "" && Number.isFinite(Number(name)));
  return names.sort((a, b) => (numbers ? Number(a) - Number(b) : 0) || order(a, b));
}

const order = <T extends string | bigint>(a: T, b: T): number => (a < b ? -1 : a > b ? 1 : 0);

/** The number of a label. Throws ConfigError for a missing or unknown label; the message begins with `where`. */
export function labelId(labels: readonly string[], value: LabelValue | undefined, where: string): number {
  if (value === undefined) throw new ConfigError(`${where}: expected a label, got none.`);
  const id = labels.indexOf(String(value));
  if (id < 0)
    throw new ConfigError(
      `${where}: expected a label the model knows (${shown(labels)}), got ${JSON.stringify(value)}. Correct it, ` +
        "or fine-tune with data that has it.",
    );
  return id;
}

const shown = (labels: readonly string[]): string =>
  labels.length > 12 ? `${labels.slice(0, 12).join(", ")}, …` : labels.join(", ");

/** Returns a caller's labels. Throws ConfigError for repeated labels, or for fewer than `least` labels. */
export function checkLabels(labels: readonly string[], task: string, least: number): readonly string[] {
  const twice = labels.find((label, i) => labels.indexOf(label) < i);
  if (twice !== undefined)
    throw new ConfigError(`${task}: expected different labels, got ${JSON.stringify(twice)} twice.`);
  if (labels.length > 0 && labels.length < least)
    throw new ConfigError(`${task}: expected at least ${least} labels, got ${JSON.stringify(labels)}.`);
  return labels;
}

/** Converts weights by label name to a list by label number. */
export function classWeights(
  weights: Readonly<Record<string, number>> | undefined,
  labels: readonly string[],
  task: string,
): readonly number[] | undefined {
  if (weights === undefined || labels.length === 0) return undefined;
  for (const [label, weight] of Object.entries(weights)) {
    labelId(labels, label, `${task}, classWeights`);
    if (!(weight >= 0 && weight < Infinity))
      throw new ConfigError(`${task}, classWeights: expected a weight of 0 or more for ${label}, got ${weight}.`);
  }
  return labels.map((label) => weights[label] ?? 1);
}

/** Weights that give every class the same total weight: n / (classes * count), scikit-learn's "balanced". */
export function balancedWeights(values: readonly LabelValue[]): Readonly<Record<string, number>> {
  const counts = new Map<string, number>();
  for (const value of values) counts.set(String(value), (counts.get(String(value)) ?? 0) + 1);
  return Object.fromEntries([...counts].map(([label, count]) => [label, values.length / (counts.size * count)]));
}

export function softmaxOf(logits: ArrayLike<number>): Float64Array {
  const all = Float64Array.from(logits);
  const most = all.reduce((a, b) => Math.max(a, b), -Infinity);
  const weights = all.map((x) => Math.exp(x - most));
  const sum = weights.reduce((a, b) => a + b, 0);
  return weights.map((w) => w / sum);
}

export const largest = (values: ArrayLike<number>): number => {
  let best = 0;
  for (let i = 1; i < values.length; i++) if ((values[i] as number) > (values[best] as number)) best = i;
  return best;
};
