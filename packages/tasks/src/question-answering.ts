/**
 * Question answering: the answer to a question as a span of a text. Long texts are read in overlapping windows
 * (`stride`), each with the question before it. The best span over all windows is the answer. With `noAnswer`, the span
 * of the first token stands for "no answer":
 *
 *   score(i, j)  start_i + end_j, over i <= j < i + maxAnswer in the text
 *   none         min over windows of start_0 + end_0
 *   no answer    if none - best score > threshold
 *
 * Source: Devlin et al. 2018, arXiv:1810.04805, section 4.2 and 4.3; Rajpurkar et al. 2018, arXiv:1806.03822 (version
 * 2).
 */
import { finiteNumber } from "@cloze/data";
import { ConfigError } from "@cloze/errors";
import { squadScores } from "@cloze/eval";
import { codePointIndexOf, utf16IndexOf, type CodePointIndex, type Utf16Index } from "@cloze/tokenizer";
import { encodeRows } from "./encode-text.ts";
import { field, missing, textField } from "./fields.ts";
import { softmaxOf } from "./labels.ts";
import type { EncodedRow, Fields, Task } from "./task.ts";
import { spanHead } from "./token-heads.ts";

export interface GivenAnswer {
  readonly text: string;
  /** Start of the answer in the context, in UTF-16 units. (SQuAD's `answer_start` counts code points.) */
  readonly start: Utf16Index;
}

export interface QuestionRecord {
  readonly question: string;
  readonly context: string;
  readonly id?: string | undefined;
  /** The correct answers, any of which is enough. An empty list: the question has no answer. */
  readonly answers?: readonly GivenAnswer[] | undefined;
}

export interface AnswerCandidate {
  readonly text: string;
  /** Place in the context, in UTF-16 units: `context.slice(start, end)` is the text. */
  readonly start: Utf16Index;
  readonly end: Utf16Index;
  /** Probability relative to the other candidates. */
  readonly score: number;
}

export interface Answer {
  /** The answer, or "" for no answer. */
  readonly answer: string;
  readonly score: number;
  /** Place in the context, in UTF-16 units. In files that `predict` writes: in code points, as in Python. */
  readonly start: Utf16Index;
  readonly end: Utf16Index;
  /** Logit of "no answer" minus the logit of the best span: a higher value is more certain that there is no answer. */
  readonly noAnswer: number;
  /** The best spans, best first. The candidate "no answer" has the text "". */
  readonly candidates: readonly AnswerCandidate[];
}

export interface QuestionAnsweringOptions {
  /** Questions may have no answer (SQuAD 2). Default false. */
  readonly noAnswer?: boolean;
  /**
   * A question with a `noAnswer` score above this threshold counts as unanswered. Default 0. The evaluation reports the
   * best threshold.
   */
  readonly threshold?: number;
  /** Number of tokens that neighbouring windows share. Default 128, at most a third of the row. */
  readonly stride?: number;
  /** Longest answer, in tokens. Default 30. */
  readonly maxAnswer?: number;
  /** Number of candidates in the output. Default 20. */
  readonly candidates?: number;
}

export function questionAnswering(options: QuestionAnsweringOptions = {}): Task<QuestionRecord, Answer> {
  const { noAnswer = false, threshold = 0, stride = 128, maxAnswer = 30, candidates = 20 } = options;
  const task: Task<QuestionRecord, Answer> = {
    kind: "question-answering",
    labels: [],
    settings: { noAnswer, threshold, stride, maxAnswer },
    best: { metric: "f1", better: "higher" },
    grouped: false,
    columns: ["question", "context", "answers"],
    head: spanHead,
    fit: () => task,
    record(input) {
      if (typeof input === "string")
        throw new ConfigError("question-answering: expected { question, context }, got a text alone.");
      return input;
    },
    read: (fields, where, labelled) => {
      const context = textField(fields, "context", where);
      const { id } = fields;
      return {
        question: textField(fields, "question", where),
        context,
        id: id === undefined || id === null ? undefined : String(id),
        answers: readAnswers(fields, context, where, labelled),
      };
    },
    encode: (tokenizer, { question, context }, { maxLength }) =>
      encodeRows(
        tokenizer,
        { text: question, pair: context },
        { maxLength, truncate: "only-second", stride: Math.min(stride, Math.floor(maxLength / 3)) },
      ),
    targets({ answers }, rows, where) {
      if (answers === undefined)
        throw new ConfigError(`${where}: expected answers, got none. An empty list says that there is no answer.`);
      const [first] = answers;
      if (first === undefined && !noAnswer)
        throw new ConfigError(
          `${where}: expected an answer, got none. Questions without answers need noAnswer (--no-answer).`,
        );
      return rows.map((row) =>
        first === undefined ? [0, 0] : (spanIn(row, first.start, first.start + first.text.length) ?? [0, 0]),
      );
    },
    decode: ({ context }, rows, logits) =>
      answerFrom(context, rows, logits, { noAnswer, threshold, maxAnswer, candidates }),
    score(records, outputs) {
      const questions = records.map(({ answers = [] }, i) => {
        const { answer, candidates: found, noAnswer: sure } = outputs[i] as Answer;
        // As in the script of SQuAD 2: the prediction is the best span, `noAnswer` is a separate score, and the
        // threshold decides.
        return noAnswer
          ? {
              prediction: found.find(({ text }) => text !== "")?.text ?? "",
              answers: answers.map(({ text }) => text),
              noAnswer: sure,
            }
          : { prediction: answer, answers: answers.map(({ text }) => text) };
      });
      const { exact, f1, hasAnswer, noAnswer: none, best } = squadScores(questions, noAnswer ? { threshold } : {});
      return {
        f1,
        exact,
        ...(noAnswer && hasAnswer && { hasAnswerF1: hasAnswer.f1, hasAnswerExact: hasAnswer.exact }),
        ...(noAnswer && none && { noAnswerAccuracy: none.exact }),
        ...(best && {
          bestF1: best.f1,
          bestF1Threshold: best.f1Threshold,
          bestExact: best.exact,
          bestExactThreshold: best.exactThreshold,
        }),
      };
    },
    inFile({ context }, output) {
      const place = codePointIndexOf(context);
      const placed = <T extends AnswerCandidate | Answer>(each: T): T => ({
        ...each,
        start: place(each.start),
        end: place(each.end),
      });
      return { ...placed(output), candidates: output.candidates.map(placed) };
    },
    cells: ({ answer, score, start, end }) => ({ answer, score, start, end }),
  };
  return task;
}

/**
 * The first and last token of a row that cover [start, end) of the context, or undefined if the row does not contain
 * the whole range. If the range starts between two tokens, the earlier token counts; if it ends between two tokens, the
 * later one.
 */
function spanIn({ sequences, offsets }: EncodedRow, start: number, end: number): readonly [number, number] | undefined {
  const open = sequences.indexOf(1);
  const close = sequences.lastIndexOf(1);
  const from = (token: number): number => offsets[2 * token] as number;
  const to = (token: number): number => offsets[2 * token + 1] as number;
  if (open < 0 || from(open) > start || to(close) < end) return undefined;
  let first = open;
  let last = close;
  while (first < close && from(first + 1) <= start) first++;
  while (last > open && to(last - 1) >= end) last--;
  return [first, last];
}

interface Span {
  readonly start: number;
  readonly end: number;
  readonly logit: number;
}

function answerFrom(
  context: string,
  rows: readonly EncodedRow[],
  logits: readonly Float32Array[],
  { noAnswer, threshold, maxAnswer, candidates }: Required<Omit<QuestionAnsweringOptions, "stride">>,
): Answer {
  const spans = rows
    .flatMap((row, r) => bestSpans(row, logits[r] as Float32Array, maxAnswer, candidates))
    .sort((a, b) => b.logit - a.logit)
    .slice(0, candidates);
  const none = logits.reduce((least, each) => Math.min(least, (each[0] as number) + (each[1] as number)), Infinity);
  const sure = none - (spans[0]?.logit ?? -Infinity);
  const ranked = noAnswer ? [...spans, { start: 0, end: 0, logit: none }].sort((a, b) => b.logit - a.logit) : spans;
  const chances = softmaxOf(ranked.map(({ logit }) => logit));
  const found = ranked.map(({ start, end }, i): AnswerCandidate => ({
    text: context.slice(start, end),
    start,
    end,
    score: chances[i] as number,
  }));
  const empty = noAnswer && sure > threshold;
  const chosen = found.find(({ text }) => (text === "") === empty);
  return {
    answer: chosen?.text ?? "",
    score: chosen?.score ?? 0,
    start: chosen?.start ?? 0,
    end: chosen?.end ?? 0,
    noAnswer: sure,
    candidates: found,
  };
}

/** The most likely spans of one window. */
function bestSpans(
  { sequences, offsets }: EncodedRow,
  logits: Float32Array,
  maxAnswer: number,
  count: number,
): readonly Span[] {
  const inText = Array.from(sequences).flatMap((sequence, t) => (sequence === 1 ? [t] : []));
  const top = (side: 0 | 1): readonly number[] =>
    [...inText].sort((a, b) => (logits[2 * b + side] as number) - (logits[2 * a + side] as number)).slice(0, count);
  const ends = top(1);
  return top(0).flatMap((start) =>
    ends
      .filter((end) => end >= start && end < start + maxAnswer)
      .map((end) => ({
        start: offsets[2 * start] as number,
        end: offsets[2 * end + 1] as number,
        logit: (logits[2 * start] as number) + (logits[2 * end + 1] as number),
      })),
  );
}

/**
 * The field `answers`, as an object of lists ({ text: […], answer_start: […] }) or as a list of objects. Starts count
 * code points, as in Python.
 */
function readAnswers(
  fields: Fields,
  context: string,
  where: string,
  labelled: boolean,
): readonly GivenAnswer[] | undefined {
  const { answers } = fields;
  const wrong = (): never => {
    throw missing(fields, "question", 'answers such as {"text": ["…"], "answer_start": [0]} beside it', answers, where);
  };
  if (answers === undefined || answers === null)
    return labelled || field(fields, "question") === undefined ? wrong() : undefined;
  if (typeof answers !== "object") return wrong();
  const lists = answers as { readonly text?: unknown; readonly answer_start?: unknown };
  const list = Array.isArray(answers) ? (answers as readonly unknown[]) : undefined;
  const pairs =
    list?.map(
      (each) => [(each as { text?: unknown }).text, (each as { answer_start?: unknown }).answer_start] as const,
    ) ??
    (Array.isArray(lists.text) && Array.isArray(lists.answer_start)
      ? lists.text.map((text: unknown, i) => [text, (lists.answer_start as unknown[])[i]] as const)
      : wrong());
  return pairs.map(([text, given]) => {
    const start = finiteNumber(given);
    return typeof text === "string" && start !== undefined ? answerAt(context, text, start, where) : wrong();
  });
}

/** An answer from its start in code points. Throws ConfigError if the context has another text at that position. */
export function answerAt(context: string, text: string, codePoint: CodePointIndex, where: string): GivenAnswer {
  if (!(Number.isInteger(codePoint) && codePoint >= 0))
    throw new ConfigError(
      `${where}: expected the start of the answer ${JSON.stringify(text.slice(0, 40))}, a whole number from 0, got ` +
        `${codePoint}. Starts count code points from 0.`,
    );
  const start = utf16IndexOf(context, codePoint);
  if (!context.startsWith(text, start))
    throw new ConfigError(
      `${where}: expected ${JSON.stringify(text.slice(0, 40))} at character ${codePoint} of the context, got ` +
        `${JSON.stringify(context.slice(start, start + Math.min(40, text.length)))}. Starts count code points from ` +
        "0.",
    );
  return { text, start };
}
