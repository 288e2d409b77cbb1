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

export function isRevision(text: string): boolean {
  return (
    text.length <= 200 &&
    revisionPattern.test(text) &&
    !text.includes("..") &&
    !text.split("/").some((each) => each.endsWith(".") || each.endsWith(".lock"))
  );
}
