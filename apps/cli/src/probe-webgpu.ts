/**
 * The WebGPU probe in a separate process. Dawn and the drivers print warnings on stderr, and a broken driver ends the
 * process that loads it. The price is the start of a process and one more opening of the device.
 */
import { execFile } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { unavailable, type Probe } from "@cloze/backend";

/**
 * GPU device files in /dev on Linux: of NVIDIA, Windows (in WSL), Android and Tegra. The files of the kernel's own
 * drivers lie in /dev/dri.
 */
const GPU_FILES = /^(nvidia\d+|dxg|kgsl-3d\d+|mali\d*|nvgpu|nvhost-.*gpu|nvmap)$/;

/** False where there certainly is no GPU. Only Linux can tell: other systems have a GPU, or need a probe to tell. */
export function mayHaveGpu(system: string = process.platform, dev = "/dev"): boolean {
  if (system !== "linux") return true;
  const files = (folder: string): readonly string[] => (existsSync(folder) ? readdirSync(folder) : []);
  return (
    files(join(dev, "dri")).some((file) => /^(card|renderD)\d+$/.test(file)) ||
    files(dev).some((file) => GPU_FILES.test(file))
  );
}

/** The longest wait for an answer of the probe. */
const LIMIT_MS = 30_000;

export async function probeWebGpuApart(
  limitMs: number = LIMIT_MS,
  program: readonly string[] = probeProgram(),
): Promise<Probe> {
  const { stdout, failure } = await promisify(execFile)(process.execPath, program, {
    timeout: limitMs,
    windowsHide: true,
  }).then(
    ({ stdout }) => ({ stdout, failure: "no answer" }),
    (error: Failed) => ({
      stdout: error.stdout,
      failure: error.killed ? `no answer in ${limitMs / 1000} s` : `it ended with ${error.signal ?? error.code}`,
    }),
  );
  // An answer counts even where a driver fails at the exit of the process.
  const answer = stdout.trim().split("\n").at(-1) ?? "";
  if (answer.startsWith("{")) return JSON.parse(answer) as Probe;
  return unavailable(`WebGPU fails when it is tried (${failure})`, "Update the GPU's driver.");
}

interface Failed {
  readonly stdout: string;
  readonly killed: boolean;
  readonly signal: string | null;
  readonly code: number | null;
}

/** The arguments of Node: the built program, or in a checkout the source, through tsx. */
function probeProgram(): readonly string[] {
  const here = import.meta.url;
  if (!here.endsWith(".ts")) return [fileURLToPath(new URL("./webgpu-probe-program.js", here))];
  const tsx = new URL("./esm/index.mjs", pathToFileURL(createRequire(here).resolve("tsx"))).href;
  return ["--conditions=@cloze/source", "--import", tsx, fileURLToPath(new URL("./webgpu-probe-program.ts", here))];
}
