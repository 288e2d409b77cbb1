/** The command `cloze checkpoint resize`: gives a checkpoint another vocabulary, or adds tokens to its own. */
import { ConfigError } from "@cloze/errors";
import type { Tokenizer } from "@cloze/tokenizer";
import { checkpointPath } from "../checkpoint-folder.ts";
import { command, type Command } from "../command.ts";
import { columns } from "../output.ts";
import { TOKENIZER_NAMES } from "../tokenizers.ts";
import { expectNewFolder } from "./checkpoint-convert.ts";

export const checkpointResize: Command = command({
  arguments: {
    name: "IN OUT",
    help: "a checkpoint folder, a run folder or a model of the Hub; and a new folder",
    min: 2,
    max: 2,
  },
  options: {
    tokenizer: {
      kind: "string",
      value: "NAME|DIR",
      checkpoint: { unless: TOKENIZER_NAMES },
      help: "the tokenizer it is to have",
    },
    addToken: {
      kind: "list",
      value: "TOKEN",
      help: "or: its own, with this one at the end of its vocabulary (WordPiece); several times for several",
    },
    special: {
      kind: "boolean",
      help: "the added tokens are special: found in the text as written, and left out by decoding",
    },
    seed: { kind: "integer", min: 0, default: 0, help: "of the new rows" },
  },
  writes: { how: "whole", of: ({ args }) => args[1] },
  examples: [
    {
      does: "Words of a field of their own",
      line:
        "cloze checkpoint resize google-bert/bert-base-uncased bert-bio --add-token kinase --add-token " +
        "phosphorylation",
    },
    {
      does: "A vocabulary of one's own",
      line: "cloze checkpoint resize google-bert/bert-base-uncased bert-mine --tokenizer my-tokenizer",
    },
  ],
  notes: [
    "A token that both vocabularies have keeps its rows, and so do the special tokens, whatever they are called; " +
      "a new one begins as an average token, which training moves. Tied weights stay tied; config.json gets the " +
      "new size and ids.",
    "cloze pretrain --from IN --tokenizer DIR does the same on its own.",
  ],
  async run({ args: [given = "", to = ""], options, path, io, note, status }) {
    if ((options.tokenizer === undefined) === (options.addToken.length === 0))
      throw new ConfigError(
        "checkpoint resize: expected either --tokenizer or --add-token, got " +
          (options.tokenizer === undefined ? "neither." : "both. Leave one out."),
      );
    const { checkpointFolder } = await import("../run-folder.ts");
    const { tokenizerFrom, tokenizerOfFolder } = await import("../tokenizers.ts");
    const { changeOf, resizeFor } = await import("../resize-vocabulary.ts");
    const from = await checkpointFolder(
      path(await checkpointPath(given, { path, io, note, status }, { where: "checkpoint resize" })),
    );
    const out = path(to);
    const before = await tokenizerOfFolder(from);
    await expectNewFolder(out, to, "checkpoint resize");
    const after =
      options.tokenizer !== undefined
        ? await tokenizerFrom(options.tokenizer, path)
        : await withTokensOf(from, options.addToken, options.special);
    const done = await resizeFor(from, out, before, after, options.seed);
    const few = (tokens: readonly string[]): string =>
      `${tokens.slice(0, 8).join(" ")}${tokens.length > 8 ? " …" : ""}`;
    return {
      json: {
        out,
        kept: done.kept,
        added: done.added,
        dropped: done.dropped,
        tensors: done.tensors,
        files: done.files,
      },
      text: [
        `${to}: ${changeOf(done)}`,
        ...columns([
          ...(done.added.length > 0 ? [["  new", few(done.added)]] : []),
          ...(done.dropped.length > 0 ? [["  gone", few(done.dropped)]] : []),
          ...done.tensors.map(({ name, from: was, to: is }) => [
            `  ${name}`,
            `[${was.join(", ")}] -> [${is.join(", ")}]`,
          ]),
        ]),
      ],
    };
  },
});

async function withTokensOf(folder: string, tokens: readonly string[], special: boolean): Promise<Tokenizer> {
  const { isWordPiece, tokenizerOfFolder } = await import("../tokenizers.ts");
  const { withTokens } = await import("@cloze/tokenizer-wordpiece");
  const tokenizer = await tokenizerOfFolder(folder);
  if (!isWordPiece(tokenizer))
    throw new ConfigError(
      `--add-token: expected a WordPiece tokenizer in ${folder}, got "${tokenizer.name}", whose vocabulary is ` +
        "fixed. Name a tokenizer that has the tokens: --tokenizer DIR.",
    );
  const there = tokens.filter((token) => tokenizer.idOf(token) !== undefined);
  if (there.length > 0)
    throw new ConfigError(
      `--add-token: expected tokens that are new, got ${there.join(", ")}, which the vocabulary has. Leave them out.`,
    );
  return withTokens(tokenizer, tokens, { special });
}
