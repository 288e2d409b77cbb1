/** Options for the cost of a run. A command that reports the cost spreads them into its own table. */
import { inGroup } from "./options.ts";

const COSTS = {
  price: { kind: "number", above: 0, help: "dollars an hour of the device: the run then says what it cost" },
  prices: { kind: "string", value: "FILE", help: "the same by device, YAML: H200: 2.5" },
  peakTflops: {
    kind: "number",
    above: 0,
    help: "what the device could do at most, in 10^12 operations a second, for MFU (known of common GPUs)",
  },
} as const;
export const COST_OPTIONS: typeof COSTS = inGroup("Cost", COSTS);

export interface CostOptions {
  readonly price: number | undefined;
  readonly prices: string | undefined;
  readonly peakTflops: number | undefined;
}
