/** The runtime of one device: the objects that its parts share. */
import { ConfigError } from "@cloze/errors";
import type { Profile } from "../profile.ts";
import { Arena } from "./arena.ts";
import { Buffers } from "./buffers.ts";
import type { OpenDevice } from "./device.ts";
import { Health } from "./health.ts";
import { Lane } from "./lane.ts";
import { Pipelines } from "./pipelines.ts";
import { Readback } from "./readback.ts";
import { Tables } from "./tables.ts";
import { Timing } from "./timing.ts";

export interface RuntimeOptions {
  /**
   * Limit of all buffers together, in bytes. WebGPU does not report the size of the memory, so by default there is no
   * limit but the device's.
   */
  readonly maxBytes?: number;
  /**
   * A run longer than this goes to the device in several submits. Default 250. A software adapter in Node, which has no
   * watchdog, gets one submit by default.
   */
  readonly sliceMs?: number;
  /** Runs in flight at once; later runs wait. Default 2, so that the device has its next run when one ends. */
  readonly depth?: number;
  /**
   * Times every kernel where the device can. Each kernel then has its own pass, and runs do not overlap. Default false.
   */
  readonly timestamps?: boolean;
}

export interface Runtime {
  readonly device: GPUDevice;
  readonly profile: Profile;
  readonly health: Health;
  readonly buffers: Buffers;
  readonly pipelines: Pipelines;
  readonly arena: Arena;
  readonly tables: Tables;
  readonly readback: Readback;
  readonly lane: Lane;
  /** Undefined unless the device has timestamps. */
  readonly timing: Timing | undefined;
  readonly sliceMs: number;
  /** Measured time of a run divided by its guessed time. */
  pace: number;
}

export function createRuntime(
  { device, profile, host }: Pick<OpenDevice, "device" | "profile" | "host">,
  options: RuntimeOptions = {},
): Runtime {
  const {
    maxBytes = Infinity,
    sliceMs = host === "dawn" && profile.family === "software" ? Infinity : 250,
    depth = 2,
    timestamps = false,
  } = options;
  const timed = timestamps && device.features.has("timestamp-query");
  if (!(maxBytes > 0)) throw new ConfigError(`backend webgpu: expected maxBytes above 0, got ${maxBytes}.`);
  if (!(sliceMs > 0)) throw new ConfigError(`backend webgpu: expected sliceMs above 0, got ${sliceMs}.`);
  if (!(Number.isInteger(depth) && depth >= 1))
    throw new ConfigError(`backend webgpu: expected depth from 1, got ${depth}.`);
  const health = new Health(device);
  const buffers = new Buffers(device, health, maxBytes);
  const readback = new Readback(buffers, health);
  return {
    device,
    profile,
    health,
    buffers,
    sliceMs,
    pipelines: new Pipelines(device, health),
    arena: new Arena(buffers),
    tables: new Tables(device, buffers),
    readback,
    timing: timed ? new Timing(device, buffers, readback) : undefined,
    // Timed runs share one set of queries, so they must not overlap.
    lane: new Lane(timed ? 1 : depth),
    pace: 1,
  };
}
