/**
 * The last step of every text tokenizer: it cuts the tokens of one or two texts into windows and frames them with
 * special tokens.
 *
 * Each tokenizer turns a text into tokens in its own way. This file holds the steps that are the same for all: texts
 * split into words, pairs, truncation, types and word numbers.
 * Source: TemplateProcessing and Encoding of Python `tokenizers` 0.23.3.
 */
import { Body } from "./body.ts";
import type { EncodingIssues } from "./encoding.ts";
import { templatePieces, type SpecialTemplate, type TemplatePiece } from "./special-template.ts";
import type { TextEncodeOptions, TextEncoding, TextInput } from "./text-tokenizer.ts";
import { windowsOf, type Window } from "./windows.ts";

/** Adds the tokens of a text to a body. Places count from the start of the text, word numbers from `body.words`. */
export type FillBody = (text: string, body: Body) => void;

const NO_ISSUES: EncodingIssues = /* @__PURE__ */ Object.freeze({
  replaced: Object.freeze({}),
  unknown: Object.freeze({}),
  dropped: Object.freeze({}),
});

export class TextFramer {
  readonly #single: readonly TemplatePiece[];
  readonly #pair: readonly TemplatePiece[];
  readonly #idOf: (token: string) => number;
  readonly #fill: FillBody;
  /** Scratch memory for the texts of one call. */
  readonly #bodies: readonly [Body, Body] = [new Body(), new Body()];

  /** @param idOf gives the id of each token of the template. All of them must exist. */
  constructor(template: SpecialTemplate, idOf: (token: string) => number, fill: FillBody) {
    this.#single = templatePieces(template.single);
    this.#pair = templatePieces(template.pair);
    this.#idOf = idOf;
    this.#fill = fill;
  }

  /** Throws: ConfigError where `maxLength` is too small for the special tokens, or where windows do not advance. */
  encode(text: TextInput, options: TextEncodeOptions): TextEncoding {
    const { pair, special = true } = options;
    const [first, second] = this.#bodies;
    this.#fillBody(text, first);
    if (pair !== undefined) this.#fillBody(pair, second);
    const bodies = pair === undefined ? [first] : [first, second];
    const template = (pair === undefined ? this.#single : this.#pair).filter(
      (piece) => special || piece.token === undefined,
    );
    const windows = windowsOf(
      bodies.map((b) => b.count),
      template.filter((p) => p.token !== undefined).length,
      options,
    );
    const issues = issuesOf(bodies);
    const [main = [], ...further] = windows;
    return this.#assemble(
      template,
      bodies,
      main,
      issues,
      further.map((window) => this.#assemble(template, bodies, window, issues, [])),
    );
  }

  #fillBody(text: TextInput, body: Body): void {
    body.reset();
    if (typeof text === "string") {
      this.#fill(text, body);
      return;
    }
    for (const [number, word] of text.entries()) {
      const first = body.count;
      this.#fill(word, body);
      body.wordOf.fill(number, first, body.count);
    }
  }

  #assemble(
    template: readonly TemplatePiece[],
    bodies: readonly Body[],
    window: Window,
    issues: EncodingIssues,
    overflow: readonly TextEncoding[],
  ): TextEncoding {
    let length = 0;
    let total = 0;
    for (const piece of template)
      length += piece.sequence === undefined ? 1 : sizeOf(window[piece.sequence === "A" ? 0 : 1]);
    for (const body of bodies) total += body.count;
    const ids = new Int32Array(length);
    const offsets = new Int32Array(2 * length);
    const types = new Int32Array(length);
    const words = new Int32Array(length).fill(-1);
    const sequences = new Int32Array(length).fill(-1);
    let at = 0;
    let kept = 0;
    for (const { sequence, token, type } of template) {
      if (sequence === undefined) {
        ids[at] = this.#idOf(token ?? "");
        types[at++] = type;
        continue;
      }
      const number = sequence === "A" ? 0 : 1;
      const body = bodies[number] as Body;
      const [start, end] = window[number] ?? [0, 0];
      const count = end - start;
      ids.set(body.ids.subarray(start, end), at);
      words.set(body.wordOf.subarray(start, end), at);
      types.fill(type, at, at + count);
      sequences.fill(number, at, at + count);
      for (let i = start; i < end; i++) {
        offsets[2 * (at + i - start)] = body.from[i] as number;
        offsets[2 * (at + i - start) + 1] = body.to[i] as number;
      }
      at += count;
      kept += count;
    }
    return { ids, offsets, types, words, sequences, truncated: total - kept, issues, overflow };
  }
}

const sizeOf = (range: readonly [number, number] = [0, 0]): number => range[1] - range[0];

function issuesOf([first, second]: readonly Body[]): EncodingIssues {
  if (first === undefined || (!first.troubled && second?.troubled !== true)) return NO_ISSUES;
  if (second?.troubled === true) {
    first.troubled = true;
    first.issues.add(second.issues.issues());
  }
  return first.issues.issues();
}
