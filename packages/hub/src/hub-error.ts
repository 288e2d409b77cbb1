/**
 * The errors of requests to the Hub, each with its next step.
 *
 * Without a token, the Hub answers 401 for a repository that is private, gated or missing. The header `X-Error-Code`
 * says which of these it is. Source: huggingface_hub, utils/_http.py `hf_raise_for_status`.
 */
import { ClozeError } from "@cloze/errors";

export type HubErrorReason =
  | "not-found"
  | "revision-not-found"
  | "file-not-found"
  | "gated"
  | "unauthorized"
  | "rate-limited"
  | "server"
  | "network"
  | "not-cached"
  | "damaged"
  | "hostile";

export class HubError extends ClozeError {
  readonly reason: HubErrorReason;
  /** The HTTP status, where the server answered. */
  readonly status: number | undefined;

  constructor(
    reason: HubErrorReason,
    message: string,
    options: { readonly status?: number; readonly cause?: unknown } = {},
  ) {
    super("user", "HubError", message, options);
    this.reason = reason;
    this.status = options.status;
  }

  static override isInstance(error: unknown): error is HubError {
    return ClozeError.isInstance(error) && error.code === "HubError";
  }
}

export interface Asked {
  /** Text for messages: `owner/name@revision`, or a file of the repository. */
  readonly what: string;
  readonly repo: string;
  readonly revision: string;
  readonly endpoint: string;
  readonly hasToken: boolean;
}

/** The error for an answer that is not a success. */
export function errorOfStatus(
  status: number,
  code: string | null,
  message: string | null,
  { what, repo, revision, endpoint, hasToken }: Asked,
): HubError {
  const got = `got ${status}${message === null ? "" : ` (${message.replace(/\s+/g, " ").slice(0, 200)})`}`;
  const fail = (reason: HubErrorReason, expected: string, next: string): HubError =>
    new HubError(reason, `${what}: expected ${expected}, ${got}. ${next}`, { status });
  const token = hasToken
    ? "the token in use has no access to it"
    : "set HF_TOKEN to a token that may read it, or run: hf auth login";
  if (code === "GatedRepo")
    return fail(
      "gated",
      "access to a gated repository",
      `Accept its terms at ${endpoint}/${repo} and ` +
        `${hasToken ? "use a token of that account" : "set HF_TOKEN to a token of that account"}.`,
    );
  if (code === "RevisionNotFound")
    return fail(
      "revision-not-found",
      `a branch, tag or commit ${JSON.stringify(revision)}`,
      `The page ${endpoint}/${repo}/tree/main lists them.`,
    );
  if (code === "EntryNotFound")
    return fail(
      "file-not-found",
      "this file in the repository",
      `The page ${endpoint}/${repo}/tree/${revision} lists what there is.`,
    );
  if (status === 401 && hasToken && code !== "RepoNotFound")
    return fail(
      "unauthorized",
      "the Hub to take the token",
      "It is wrong or has expired: set HF_TOKEN to another, or unset it for public models.",
    );
  if (code === "RepoNotFound" || status === 404 || status === 401)
    return fail("not-found", `a repository of this name on ${endpoint}`, `Check the name; if it is private, ${token}.`);
  if (status === 403) return fail("unauthorized", "leave to read it", `If it is private, ${token}.`);
  if (status === 429)
    return fail(
      "rate-limited",
      "an answer",
      "The Hub limits how often one may ask: wait a few " +
        `minutes${hasToken ? "" : ", or set HF_TOKEN, which raises the limit"}.`,
    );
  return fail(
    "server",
    `an answer of ${endpoint}`,
    "The Hub has a problem: try again later. What was downloaded so far is kept.",
  );
}

/** The error for a request without an answer. */
export function networkError(what: string, url: string, cause: unknown): HubError {
  return new HubError(
    "network",
    `${what}: expected an answer of ${new URL(url).origin}, got ${reasonOf(cause)}. Check the network, the proxy ` +
      "and HF_ENDPOINT; HF_HUB_OFFLINE=1 takes what is in the cache.",
    { cause },
  );
}

/** The innermost cause of an error, as text. (fetch's own message is only `fetch failed`.) */
export function reasonOf(cause: unknown): string {
  let innermost: unknown = cause;
  while (innermost instanceof Error && innermost.cause instanceof Error) innermost = innermost.cause;
  if (!(innermost instanceof Error)) return String(innermost);
  const code = "code" in innermost && typeof innermost.code === "string" ? innermost.code : "";
  return innermost.message === "" ? code || innermost.name : innermost.message.replace(/\s+/g, " ");
}
