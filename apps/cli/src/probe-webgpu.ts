/**
 * The WebGPU probe in a process of its own: Dawn and the drivers print warnings on stderr, and a broken driver ends the
 * process that loads it. Price: the start of a process, and the device is opened once more.
 */
import { execFile } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { unavailable, type Probe } from "@cloze/backend";

/** Device files of GPUs on Linux: of the kernel's drivers, NVIDIA's, Windows' (in WSL), Android's and Tegra's. */
const GPU_FILES = /^(nvidia\d+|dxg|kgsl-3d\d+|mali\d*|nvgpu|nvhost-.*gpu|nvmap)$/;

/** False where there certainly is no GPU: other systems always have one, or do not tell without a probe. */
export function mayHaveGpu(system: string = process.platform, dev = "/dev"): boolean {
  if (system !== "linux") return true;
  const files = (folder: string): readonly string[] => (existsSync(folder) ? readdirSync(folder) : []);
  return (
    files(join(dev, "dri")).some((file) => /^(card|renderD)\d+$/.test(file)) ||
    files(dev).some((file) => GPU_FILES.test(file))
  );
}

/** Longest wait for a driver. */
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
  // An answer counts even where a driver then failed at the exit.
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

/** The built program, or in a checkout its source, through tsx. */
function probeProgram(): readonly string[] {
  const here = import.meta.url;
  if (!here.endsWith(".ts")) return [fileURLToPath(new URL("./webgpu-probe-program.js", here))];
  const tsx = new URL("./esm/index.mjs", pathToFileURL(createRequire(here).resolve("tsx"))).href;
  return ["--conditions=@cloze/source", "--import", tsx, fileURLToPath(new URL("./webgpu-probe-program.ts", here))];
}
