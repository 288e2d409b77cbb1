/** The command `cloze fill-mask`: shows the likeliest tokens at each mask of a text. */
import { ConfigError } from "@cloze/errors";
import type { Tokenizer } from "@cloze/tokenizer";
import { command, type Command } from "../command.ts";
import { BACKEND_OPTIONS, CHECKPOINT_OPTION } from "../compute-options.ts";
import type { Io } from "../io.ts";
import { columns } from "../output.ts";
import { TOKENIZER_NAMES, isBpe } from "../tokenizers.ts";

const WIDTH = 80;

export const fillMask: Command = command({
  arguments: {
    name: "TEXT…",
    help:
      "texts with <mask> (for BERT and ProtBert [MASK]) where a token is to be predicted; - reads lines from " +
      "standard input",
    min: 1,
    max: Infinity,
  },
  options: {
    ...CHECKPOINT_OPTION,
    top: { kind: "integer", min: 1, default: 5, help: "tokens shown for each mask" },
    tokenizer: {
      kind: "string",
      value: "NAME|DIR",
      checkpoint: { unless: TOKENIZER_NAMES },
      help: "default: the tokenizer beside the weights",
    },
    ...BACKEND_OPTIONS,
  },
  examples: [
    { does: "One masked residue", line: 'cloze fill-mask --checkpoint runs/mine "MKT<mask>YIAKQRQISFVK"' },
    { does: "A word", line: 'cloze fill-mask --checkpoint runs/text "the capital of france is [MASK]."' },
    {
      does: "Several, all probabilities, as JSON",
      line: 'cloze fill-mask --checkpoint runs/mine "MK<mask>AY<mask>AK" --top 33 --json',
    },
  ],
  notes: [
    "Places count residues, or of text tokens, from 1. Probabilities are over the whole vocabulary, special " +
      "tokens included; all masks of a text are predicted at once, from what is not masked.",
  ],
  async run({ args, options, path, note, io }) {
    const given = args.length === 1 && args[0] === "-" ? await linesOf(io.stdin) : args;
    const { modelOf, tokenizerOf, withEncoder } = await import("../encoder-options.ts");
    const { isTextTokenizer } = await import("@cloze/tokenizer");
    const loaded = await modelOf(options, path);
    const tokenizer = await tokenizerOf(options.tokenizer, loaded, { path, note });
    return withEncoder({ ...options, batchTokens: 2048 }, loaded, tokenizer, note, async ({ encoder, backend }) => {
      const texts: object[] = [];
      const shown: string[] = [];
      const mask = tokenizer.vocabulary[tokenizer.special.mask ?? -1] ?? "";
      for (const text of given) {
        const masks = await encoder.fillMask(text, { top: options.top });
        const best = masks.map(({ candidates }) => candidates[0]?.token ?? "");
        texts.push({ text, filled: filled(text, mask, best, tokenizer, isTextTokenizer(tokenizer)), masks });
        const rows = masks.flatMap(({ position, candidates }) =>
          candidates.map(({ token, probability }, i) => [
            i === 0 ? String(position) : "",
            token,
            `${(probability * 100).toFixed(2)} %`,
          ]),
        );
        shown.push(
          ...(shown.length > 0 ? [""] : []),
          text.length > WIDTH ? `${text.slice(0, WIDTH - 3)}...` : text,
          ...columns([["place", "token", "probability"], ...rows], [0, 2]),
        );
      }
      return { json: { checkpoint: loaded.dir, backend, texts }, text: shown };
    });
  },
});

/** The lines of standard input that are not blank. Throws ConfigError if there are none. */
async function linesOf(stdin: Io["stdin"]): Promise<readonly string[]> {
  const { wholeText } = await import("../whole-text.ts");
  const lines = (await wholeText("-", "-", stdin)).split("\n").filter((line) => line.trim() !== "");
  if (lines.length === 0) throw new ConfigError("fill-mask: expected texts from standard input, got none.");
  return lines;
}

/**
 * The text with the best token in place of each mask. In text, a WordPiece token that continues a word (`##…`) follows
 * the word without a space. A byte-level BPE token brings its own space.
 */
function filled(text: string, mask: string, best: readonly string[], tokenizer: Tokenizer, words: boolean): string {
  const [first = "", ...rest] = text.split(mask);
  return rest.reduce((done, part, i) => {
    const token = best[i] ?? mask;
    const id = tokenizer.idOf(token);
    if (id !== undefined && isBpe(tokenizer))
      return done.trimEnd() + tokenizer.decode([id], { skipSpecial: false }) + part;
    return words && token.startsWith("##") ? done.trimEnd() + token.slice(2) + part : done + token + part;
  }, first);
}
