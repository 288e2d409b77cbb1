/**
 * The costs of a run: operations, the share of the device's peak rate (MFU), and dollars.
 *
 *   MFU     = tokens/s * FLOPs/token / peak    FLOPs of the model by formula, without recomputation and optimizer
 *   dollars = hours * price
 *
 * An unknown peak is not guessed. The price comes from the user: by a flag, or from a file with prices of devices.
 */
import { readFile } from "node:fs/promises";
import { ConfigError, FormatError } from "@cloze/errors";
import { formatDuration, formatFlops, formatValue } from "@cloze/trainer";
import type { CostOptions } from "./cost-options.ts";
import { knownDevice, type Peaks } from "./device-peaks.ts";

/** Facts that are known before the run. */
export interface DeviceCosts {
  readonly device: string;
  /** Operations of the forward and the backward pass; undefined if not known. */
  readonly flopsPerToken: number | undefined;
  /** Peak rate in operations per second; undefined if not known. */
  readonly peak: number | undefined;
  /** The origin of the peak in words, or the reason why there is none. */
  readonly peakIs: string;
  readonly dollarsPerHour: number | undefined;
}

export interface CostsRequest extends Pick<DeviceCosts, "device" | "flopsPerToken"> {
  readonly precision: keyof Peaks;
}

export async function deviceCosts(
  { device, flopsPerToken, precision }: CostsRequest,
  { price, prices, peakTflops }: CostOptions,
  path: (given: string) => string,
): Promise<DeviceCosts> {
  if (price !== undefined && prices !== undefined)
    throw new ConfigError("--price and --prices: expected one of them, got both. Leave one out.");
  const known = knownDevice(device);
  const peak = peakTflops ?? known?.peaks[precision];
  const peakIs =
    peakTflops !== undefined
      ? "as given"
      : peak !== undefined
        ? `${known?.name}, ${precision}`
        : `no peak ${known === undefined ? "" : `of ${precision} `}known; say it with --peak-tflops`;
  const dollarsPerHour = price ?? (prices === undefined ? undefined : await priceIn(path(prices), prices, device));
  return { device, flopsPerToken, peak: peak === undefined ? undefined : peak * 1e12, peakIs, dollarsPerHour };
}

/**
 * The price of the device, from a YAML file of lines `name: dollars an hour`. The longest name that is part of the
 * device's name counts.
 */
async function priceIn(file: string, shown: string, device: string): Promise<number> {
  const text = await readFile(file, "utf8").catch((cause: NodeJS.ErrnoException) => {
    throw new ConfigError(
      `--prices: expected a YAML file at ${shown}, got ${cause.code === "ENOENT" ? "nothing there" : cause.message}.`,
      { cause },
    );
  });
  const table = await tableIn(text, shown);
  const names = Object.keys(table).sort((a, b) => b.length - a.length);
  const name = names.find((each) => device.toLowerCase().includes(each.toLowerCase()));
  const price = name === undefined ? undefined : table[name];
  if (name === undefined)
    throw new ConfigError(
      `--prices ${shown}: expected a price of ${device}, got those of ${names.join(", ") || "nothing"}. Add a ` +
        "line, or say --price.",
    );
  if (typeof price !== "number" || !(price > 0))
    throw new FormatError(shown, name, `expected dollars an hour, above 0, got ${JSON.stringify(price)}.`);
  return price;
}

async function tableIn(text: string, shown: string): Promise<Readonly<Record<string, unknown>>> {
  const { parse } = await import("yaml");
  let table: unknown;
  try {
    table = parse(text);
  } catch (cause) {
    throw new FormatError(
      shown,
      "",
      `expected YAML, got an error: ${cause instanceof Error ? cause.message : String(cause)}.`,
      { cause },
    );
  }
  if (typeof table === "object" && table !== null && !Array.isArray(table))
    return table as Readonly<Record<string, unknown>>;
  throw new FormatError(shown, "", "expected lines of `device: dollars an hour`.");
}

/** Operations per token for packed rows, where a sequence attends only to itself: the mean over the tokens. */
export function flopsOfSequences(flopsPerToken: (seq: number) => number, lengths: readonly number[]): number {
  const counts = new Map<number, number>();
  for (const length of lengths) counts.set(length, (counts.get(length) ?? 0) + 1);
  let flops = 0;
  let tokens = 0;
  for (const [length, count] of counts) {
    flops += count * length * flopsPerToken(length);
    tokens += count * length;
  }
  return tokens > 0 ? flops / tokens : 0;
}

/**
 * The figures that need a clock, for a row of metrics.jsonl: `mfu` if the peak is known, and `dollars` so far if the
 * price is known.
 */
export function timedCosts({
  flopsPerToken,
  peak,
  dollarsPerHour,
}: DeviceCosts): (time: {
  readonly tokensPerSecond: number;
  readonly elapsed: number;
}) => Readonly<Record<string, number>> {
  return ({ tokensPerSecond, elapsed }) => ({
    ...(peak !== undefined && flopsPerToken !== undefined && { mfu: (tokensPerSecond * flopsPerToken) / peak }),
    ...(dollarsPerHour !== undefined && { dollars: (elapsed / 3600) * dollarsPerHour }),
  });
}

/** Figures of a run. A figure that is not known is undefined. */
export interface RunCosts {
  readonly flopsPerToken: number | undefined;
  readonly flops: number | undefined;
  readonly flopsPerSecond: number | undefined;
  readonly mfu: number | undefined;
  readonly dollars: number | undefined;
}

export function runCosts(
  costs: DeviceCosts,
  {
    tokens,
    tokensPerSecond,
    seconds,
  }: { readonly tokens: number; readonly tokensPerSecond: number; readonly seconds: number },
): RunCosts {
  const { mfu, dollars } = timedCosts(costs)({ tokensPerSecond, elapsed: seconds });
  const { flopsPerToken } = costs;
  return {
    flopsPerToken,
    flops: flopsPerToken && flopsPerToken * tokens,
    flopsPerSecond: flopsPerToken && flopsPerToken * tokensPerSecond,
    mfu,
    dollars,
  };
}

/** `12.3 %`. */
export const percent = (share: number): string => `${(share * 100).toFixed(1)} %`;

/** `$0.0042`, `$12.30`. */
export const dollars = (amount: number): string =>
  `$${amount >= 0.995 || amount === 0 ? amount.toFixed(2) : amount.toPrecision(2)}`;

export type CostLines = readonly (readonly [name: string, shown: string])[];

/**
 * The costs in words, names first. Unknown figures are left out, except the peak of a GPU, because the user can set it.
 */
export function costLines(
  { device, peakIs, peak, dollarsPerHour }: DeviceCosts,
  { flopsPerToken, flops, flopsPerSecond, mfu, dollars: spent }: RunCosts,
  seconds: number,
): CostLines {
  const compute: CostLines =
    flopsPerToken === undefined || flops === undefined || flopsPerSecond === undefined
      ? []
      : [
          [
            "compute",
            `${formatFlops(flopsPerToken)} a token, ${formatFlops(flops)} in all, ${formatFlops(flopsPerSecond)} ` +
              "a second",
          ],
          ...(mfu !== undefined && peak !== undefined
            ? [["MFU", `${percent(mfu)} of ${formatValue(peak / 1e12)} TFLOPS (${peakIs})`] as const]
            : /^CPU\b/.test(device)
              ? []
              : [["MFU", `unknown of ${device}: ${peakIs}`] as const]),
        ];
  return [
    ...compute,
    ...(spent === undefined || dollarsPerHour === undefined
      ? []
      : [["cost", `${dollars(spent)}: ${formatDuration(seconds)} at ${dollars(dollarsPerHour)} an hour`] as const]),
  ];
}
