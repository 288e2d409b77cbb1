/**
 * A reader of huggingface_hub's environment variables. It follows Python's rules, so both use the same cache.
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
  /** Absolute path of the folder that holds `models--owner--name`. */
  readonly cacheDir: string;
  /** The Hub's address, without a slash at the end. */
  readonly endpoint: string;
  readonly token: string | undefined;
  /** True: make no request. A model that is not in the cache is then an error. */
  readonly offline: boolean;
}

/**
 * The settings of an environment. Reads the token from its file where no variable holds a token.
 * Throws: ConfigError where HF_ENDPOINT is not an address.
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

/** The token without line ends. A file or a paste may add them, and a line end would end an HTTP header. */
const clean = (token: string | undefined): string | undefined => token?.replace(/[\r\n]/g, "").trim() || undefined;

/** The token that `hf auth login` saved, if any. */
function readToken(file: string): string | undefined {
  try {
    return clean(readFileSync(file, "utf8"));
  } catch {
    return undefined;
  }
}
