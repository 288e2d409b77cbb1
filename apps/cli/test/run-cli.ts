/** A runner of the command line in this process, with streams and a folder of its own. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";
import { main, type Io } from "../src/index.ts";
import type { CommandEntry } from "../src/commands.ts";

export interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
  /** The last line of stdout, parsed. */
  readonly json: () => Readonly<Record<string, unknown>>;
}

export interface Cli {
  readonly dir: string;
  run(...argv: readonly string[]): Promise<Ran>;
  piped(input: string | Uint8Array, ...argv: readonly string[]): Promise<Ran>;
  write(name: string, text: string | Uint8Array): string;
}

/** `env` is the environment of the process. By default nothing asks the Hub. */
export function cli(
  commands?: readonly CommandEntry[],
  env: Io["env"] = { HF_HUB_OFFLINE: "1", HF_HOME: "/nonexistent" },
): Cli {
  const dir = mkdtempSync(join(tmpdir(), "cloze-cli-"));
  afterAll(() => rmSync(dir, { recursive: true, force: true }));
  const piped = async (input: string | Uint8Array, ...argv: readonly string[]): Promise<Ran> => {
    let out = "";
    let err = "";
    const io: Io = {
      stdout: {
        write: (text) => {
          out += text;
        },
      },
      stderr: {
        write: (text) => {
          err += text;
        },
      },
      stdin: (async function* () {
        if (input.length > 0) yield typeof input === "string" ? new TextEncoder().encode(input) : input;
      })(),
      cwd: dir,
      env,
      outputClosed: () => false,
    };
    const code = await main(argv, io, commands);
    return {
      code,
      out,
      err,
      json: () => JSON.parse(out.trimEnd().split("\n").at(-1) ?? "") as Readonly<Record<string, unknown>>,
    };
  };
  return {
    dir,
    piped,
    run: (...argv) => piped("", ...argv),
    write: (name, text) => {
      writeFileSync(join(dir, name), text);
      return name;
    },
  };
}
