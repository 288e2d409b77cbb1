/**
 * A mixture of data sets of documents, in given proportions: like `mix`, with documents in place of examples.
 *
 * An epoch lasts until every part has been seen whole. A part that has to give more documents repeats its documents
 * from the first one on, and each repeat has a number of its own. The proportions hold over an epoch; `pairBatches`
 * draws the order.
 */
import type { Tokens } from "./dataset.ts";
import type { DocumentDataset } from "./document-dataset.ts";
import { mixCounts, type MixOptions } from "./mix.ts";

export interface DocumentMixPart {
  readonly dataset: DocumentDataset;
  /**
   * Share of the mixture, relative to the weights of the other parts: a share of its documents, or with `by: "tokens"`
   * of its tokens.
   */
  readonly weight: number;
}

/**
 * @example
 * const mixed = mixDocuments([
 *   { dataset: memoryDocuments([[[5], [6]]]), weight: 0.5 },
 *   { dataset: memoryDocuments([[[7]], [[8]]]), weight: 0.5 },
 * ]);
 * [mixed.documents, mixed.size, mixed.sentencesOf(1)]  // => [4, 6, [2, 4]]
 */
export function mixDocuments(parts: readonly DocumentMixPart[], options: MixOptions = {}): DocumentDataset {
  const counts = mixCounts(
    parts.map(({ dataset, weight }) => ({ dataset: documentsOf(dataset), weight })),
    options.by ?? "examples",
  );
  const documentBases: number[] = [];
  const sentenceBases: number[] = [];
  let documents = 0;
  let size = 0;
  for (const [j, { dataset }] of parts.entries()) {
    const count = counts[j] as number;
    const passes = Math.floor(count / dataset.documents);
    const rest = count % dataset.documents;
    documentBases.push(documents);
    sentenceBases.push(size);
    documents += count;
    size += passes * dataset.size + (rest === 0 ? 0 : dataset.sentencesOf(rest)[0]);
  }
  const partOf = (number: number, bases: readonly number[]): number => bases.findLastIndex((base) => base <= number);
  const sentence = (example: number): { readonly dataset: DocumentDataset; readonly inner: number } => {
    const j = partOf(example, sentenceBases);
    const { dataset } = parts[j] as DocumentMixPart;
    return { dataset, inner: (example - (sentenceBases[j] as number)) % dataset.size };
  };
  const original = (document: number): { readonly j: number; readonly number: number; readonly pass: number } => {
    const j = partOf(document, documentBases);
    const number = document - (documentBases[j] as number);
    return { j, number, pass: Math.floor(number / (parts[j] as DocumentMixPart).dataset.documents) };
  };
  return {
    documents,
    size,
    lengthOf(example) {
      const { dataset, inner } = sentence(example);
      return dataset.lengthOf(inner);
    },
    read(example, epoch): Tokens | Promise<Tokens> {
      const { dataset, inner } = sentence(example);
      return dataset.read(inner, epoch);
    },
    sentencesOf(document) {
      const { j, number, pass } = original(document);
      const { dataset } = parts[j] as DocumentMixPart;
      const base = (sentenceBases[j] as number) + pass * dataset.size;
      const [first, end] = dataset.sentencesOf(number - pass * dataset.documents);
      return [base + first, base + end];
    },
    originalOf(document) {
      const { j, number, pass } = original(document);
      return (documentBases[j] as number) + number - pass * (parts[j] as DocumentMixPart).dataset.documents;
    },
  };
}

/** The documents as examples: their number, and their lengths in tokens. */
function documentsOf(dataset: DocumentDataset): { readonly size: number; lengthOf(document: number): number } {
  return {
    size: dataset.documents,
    lengthOf(document) {
      const [first, end] = dataset.sentencesOf(document);
      let tokens = 0;
      for (let i = first; i < end; i++) tokens += dataset.lengthOf(i);
      return tokens;
    },
  };
}
