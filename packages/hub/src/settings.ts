/**
 * The environment variables of huggingface_hub, read as Python reads them, so that both sides find the same cache.
 *
 * HF_HOME, HF_HUB_CACHE (HUGGINGFACE_HUB_CACHE), XDG_CACHE_HOME · HF_ENDPOINT · HF_TOKEN (HUGGING_FACE_HUB_TOKEN),
 * HF_TOKEN_PATH, HF_HUB_DISABLE_IMPLICIT_TOKEN · HF_HUB_OFFLINE, TRANSFORMERS_OFFLINE. Source:
 * https://github.com/huggingface/huggingface_hub, src/huggingface_hub/constants.py and utils/_auth.py.
 */
import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { ConfigError } from "@cloze/errors";

export interface HubSettings {
  /** The folder of `models--owner--name`, absolute. */
  readonly cacheDir: string;
  /** Without a slash at its end. */
  readonly endpoint: string;
  readonly token: string | undefined;
  /** No request is made; what is not in the cache is an error. */
  readonly offline: boolean;
}

/**
 * What an environment says. Reads the token's file where no variable holds a token. Throws: ConfigError for HF_ENDPOINT
 * that is no address.
 */
export function hubSettings(env: Readonly<Record<string, string | undefined>>): HubSettings {
  const home = homedir();
  const expand = (path: string): string => resolve(path.replace(/^~(?=$|[/\\])/, home));
  const said = (...names: readonly string[]): string | undefined =>
    names.map((name) => env[name]).find((value) => value !== undefined && value !== "");
  const hfHome = said("HF_HOME") ?? join(said("XDG_CACHE_HOME") ?? join(home, ".cache"), "huggingface");
  const endpoint = (said("HF_ENDPOINT") ?? "https://huggingface.co").replace(/\/+$/, "");
  if (!URL.canParse(endpoint) || !/^https?:$/.test(new URL(endpoint).protocol)) {
    throw new ConfigError(
      `HF_ENDPOINT: expected an address such as https://huggingface.co, got ${JSON.stringify(endpoint)}. Correct ` +
        "the variable, or unset it.",
    );
  }
  const implicit = !isTrue(env["HF_HUB_DISABLE_IMPLICIT_TOKEN"]);
  const token = implicit
    ? (clean(said("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN")) ??
      readToken(expand(said("HF_TOKEN_PATH") ?? join(hfHome, "token"))))
    : undefined;
  return {
    cacheDir: expand(said("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE") ?? join(hfHome, "hub")),
    endpoint,
    token,
    offline: isTrue(said("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")),
  };
}

const isTrue = (value: string | undefined): boolean => ["1", "ON", "YES", "TRUE"].includes((value ?? "").toUpperCase());

/** Line ends that a paste or a file brings along would end a header. */
const clean = (token: string | undefined): string | undefined => token?.replace(/[\r\n]/g, "").trim() || undefined;

/** What `hf auth login` left, if it did. */
function readToken(file: string): string | undefined {
  try {
    return clean(readFileSync(file, "utf8"));
  } catch {
    return undefined;
  }
}
