/** All that stands between compiled kernels and one device: what its parts share, and nothing else. */
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
   * What all buffers together may take. WebGPU does not tell how much memory there is, so by default only the device
   * says no.
   */
  readonly maxBytes?: number;
  /**
   * A run longer than this goes to the device in several submits. Default 250; on a software adapter in Node, which
   * nobody watches over, one submit.
   */
  readonly sliceMs?: number;
  /** Runs under way at once, a later one waits. Default 2: the device has its next run when one ends. */
  readonly depth?: number;
  /** Times every kernel where the device can: a pass for each, one run at a time. Default false. */
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
  /** Where the device was opened for it. */
  readonly timing: Timing | undefined;
  readonly sliceMs: number;
  /** How much longer kernels take than guessed, from what runs took. */
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
    // Timed runs share one set of queries: one after the other.
    lane: new Lane(timed ? 1 : depth),
    pace: 1,
  };
}
