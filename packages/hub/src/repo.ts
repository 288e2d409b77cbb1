/**
 * A parser of model names: `bert-base-uncased`, `owner/name`, `owner/name@revision`. A revision is a branch, a tag or a
 * commit.
 *
 * Only names that the Hub itself allows are names. Any other text (`./model`, `a/b/c`, `C:\x`) is a path. A name or
 * revision that passes stays inside the folder to which it is joined.
 */

export interface Repo {
  /** `owner/name`, or `name` for the few old models without an owner. */
  readonly name: string;
  readonly revision: string;
}

/** True for 40 hexadecimal digits: a commit. The files of a commit never change. */
export const isCommit = (revision: string): boolean => /^[0-9a-f]{40}$/.test(revision);

const part = /^[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,94}[A-Za-z0-9_])?$/;
const revisionPattern = /^[A-Za-z0-9_][A-Za-z0-9_.+-]*(?:\/[A-Za-z0-9_][A-Za-z0-9_.+-]*)*$/;

/**
 * The repository that a text names, or undefined where the text is not a name.
 *
 * @example
 * parseRepoName("facebook/esm2_t6_8M_UR50D@main")  // => { name: "facebook/esm2_t6_8M_UR50D", revision: "main" }
 * parseRepoName("../checkpoint")  // => undefined
 */
export function parseRepoName(text: string): Repo | undefined {
  const at = text.indexOf("@");
  const name = at < 0 ? text : text.slice(0, at);
  const revision = at < 0 ? "main" : text.slice(at + 1);
  const parts = name.split("/");
  if (parts.length > 2 || !parts.every((each) => part.test(each) && !each.includes("--") && !each.includes("..")))
    return undefined;
  if (/\.(?:git|ipynb|json|safetensors)$/.test(name) || !isRevision(revision)) return undefined;
  return { name, revision };
}

/**
 * Models of the Hub whose names have no owner, since they are older than owners. The Hub gives no further such names.
 * Source: the archive lists of encoders in transformers 4 (`BERT_PRETRAINED_MODEL_ARCHIVE_LIST` and the like).
 */
const BARE_NAMES: ReadonlySet<string> = new Set([
  ...["albert-base", "albert-large", "albert-xlarge", "albert-xxlarge"].flatMap((name) => [`${name}-v1`, `${name}-v2`]),
  "bert-base-cased",
  "bert-base-cased-finetuned-mrpc",
  "bert-base-chinese",
  "bert-base-german-cased",
  "bert-base-german-dbmdz-cased",
  "bert-base-german-dbmdz-uncased",
  "bert-base-multilingual-cased",
  "bert-base-multilingual-uncased",
  "bert-base-uncased",
  "bert-large-cased",
  "bert-large-cased-whole-word-masking",
  "bert-large-cased-whole-word-masking-finetuned-squad",
  "bert-large-uncased",
  "bert-large-uncased-whole-word-masking",
  "bert-large-uncased-whole-word-masking-finetuned-squad",
  "camembert-base",
  "distilbert-base-cased",
  "distilbert-base-cased-distilled-squad",
  "distilbert-base-german-cased",
  "distilbert-base-multilingual-cased",
  "distilbert-base-uncased",
  "distilbert-base-uncased-distilled-squad",
  "distilbert-base-uncased-finetuned-sst-2-english",
  "distilroberta-base",
  "roberta-base",
  "roberta-base-openai-detector",
  "roberta-large",
  "roberta-large-mnli",
  "roberta-large-openai-detector",
  "xlm-roberta-base",
  "xlm-roberta-large",
  "xlm-roberta-large-finetuned-conll03-english",
]);

/**
 * True for a text that says by its form that it is a model of the Hub: `owner/name`, a name with a revision, or one of
 * the old names without an owner. Any other word may be a repository too, but is more likely a path with a mistake.
 *
 * @example
 * looksLikeRepo("bert-base-uncased")  // => true
 * looksLikeRepo("my-model")  // => false
 */
export function looksLikeRepo(text: string): boolean {
  const repo = parseRepoName(text);
  return repo !== undefined && (text.includes("/") || text.includes("@") || BARE_NAMES.has(repo.name));
}

export function isRevision(text: string): boolean {
  return (
    text.length <= 200 &&
    revisionPattern.test(text) &&
    !text.includes("..") &&
    !text.split("/").some((each) => each.endsWith(".") || each.endsWith(".lock"))
  );
}
