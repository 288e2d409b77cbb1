// The process must end by itself, soon, and with the right exit code, in whatever state the backend is left. Dawn in
// Node is known to hang or crash at exit.
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect } from "vitest";
import { onDevice } from "./adapter.ts";

const child = fileURLToPath(new URL("child.ts", import.meta.url));

/** Runs the child process to its end. After the time limit the child is killed, which is a failure. */
async function end(how: string): Promise<{ readonly code: number; readonly said: readonly string[] }> {
  const args = ["--expose-gc", "--import", "tsx", "--conditions=@cloze/source", child, how];
  try {
    const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: 30_000, killSignal: "SIGKILL" });
    return { code: 0, said: stdout.trim().split("\n") };
  } catch (error) {
    const { code, signal, stdout, stderr } = error as {
      readonly code: number | null;
      readonly signal: string | null;
      readonly stdout: string;
      readonly stderr: string;
    };
    if (code === null)
      throw new Error(`"${how}" ended by ${signal}: it hung, or crashed\n${stderr.split("\n").slice(-5).join("\n")}`, {
        cause: error,
      });
    return { code, said: stdout.trim().split("\n") };
  }
}

describe("the process ends", () => {
  const ways: readonly (readonly [how: string, code: number, said: readonly unknown[]])[] = [
    ["dispose", 0, ["ran 6"]],
    ["no dispose", 0, ["ran 6"]],
    ["probe", 0, ["ran true"]],
    ["garbage", 0, ["ran 6", "ran 6", "ran 6", "ran 6"]],
    ["lost during runs", 0, ["ran 6", expect.stringContaining("the device was lost")]],
    ["throws during runs", 1, ["ran 6"]],
    ["exit during runs", 7, ["ran 6"]],
  ];
  for (const [how, code, said] of ways) {
    onDevice(`${how}: exit code ${code}`, async ({ close }) => {
      close();
      expect(await end(how)).toEqual({ code, said });
    });
  }
});
