/** The entry to the backend: it opens a device and connects the compiler with the runtime. */
import { UnsupportedError } from "@cloze/errors";
import type { Program } from "@cloze/graph";
import type { TileChoice } from "./compile/anchor.ts";
import { compileProgram, nativeComposites } from "./compile/compile.ts";
import type { Compiled } from "./kernel.ts";
import type { Profile } from "./profile.ts";
import { createBackend, type Compute, type WebGpuBackend } from "./runtime/backend.ts";
import { requireDevice, type DeviceOptions } from "./runtime/device.ts";
import { estimateOf, type Estimate } from "./runtime/estimate.ts";
import { layoutOf } from "./runtime/layout.ts";
import type { RuntimeOptions } from "./runtime/runtime.ts";
import { tilesOf, type TileOptions } from "./tiles.ts";

export interface BackendOptions extends DeviceOptions, RuntimeOptions, TileOptions {}

/**
 * Opens the best device of the machine, or the caller's own one. Throws UnsupportedError where there is no device; the
 * message says how to get one.
 */
export async function backend(options: BackendOptions = {}): Promise<WebGpuBackend> {
  const opened = await requireDevice(options);
  const tiles = tilesOf(opened.device, opened.profile, options);
  return createBackend(
    opened,
    {
      composites: nativeComposites,
      compile: (program, how) => tiles.apply((tileFor) => compile(program, how, tileFor)),
    },
    options,
  );
}

export interface EstimateOptions {
  /** The device of the estimate: `backend.profile`, or `baseProfile` for the limits that every device has. */
  readonly profile: Profile;
  readonly compute?: Compute;
}

/**
 * Estimates the memory of a program without a device and without any allocation. Throws where a single tensor is too
 * large for the device.
 */
export function estimate(program: Program, { profile, compute = "f32" }: EstimateOptions): Estimate {
  return estimateOf(program, layoutOf(compile(program, { profile, compute }), program, profile), profile);
}

function compile(
  program: Program,
  { profile, compute }: { readonly profile: Profile; readonly compute: Compute },
  tileFor?: TileChoice,
): Compiled {
  if (compute === "bf16")
    throw new UnsupportedError(
      "backend webgpu: compute: expected f32 or f16, got bf16: WGSL has no such type. Use f16.",
    );
  if (compute === "f16" && !profile.f16)
    throw new UnsupportedError(
      `backend webgpu: compute: expected f32, got f16: ${profile.device} has no 16-bit floats, or they are off. ` +
        "See: cloze doctor",
    );
  return compileProgram(program, { profile, compute, ...(tileFor && { tileFor }) });
}
