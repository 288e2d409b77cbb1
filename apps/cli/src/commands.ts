/** The commands, in the order the help lists them. Each is loaded when it is called; only names and summaries are here. */
import type { Command } from "./command.ts";

export interface CommandEntry {
  /** One word, or two: `data prepare`. */
  readonly name: string;
  /** One line, without a full stop. */
  readonly summary: string;
  load(): Promise<Command>;
}

export const COMMANDS: readonly CommandEntry[] = [
  { name: "tokenize", summary: "Show how texts become tokens", load: async () => (await import("./commands/tokenize.ts")).tokenize },
];
