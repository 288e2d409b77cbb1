/** The backend with its compiler: a device is opened, and programs become kernels for it. */
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
 * Opens the best device there is, or the one given. Throws UnsupportedError with what would help where there is none.
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
  /** The device it would run on: `backend.profile`, or `baseProfile` for what every device can do. */
  readonly profile: Profile;
  readonly compute?: Compute;
}

/**
 * What a program will take, without a device and without allocating anything. Throws where a single tensor is too large
 * for the device.
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
