/** The way from a model's name to its folder, with config.json, safetensors and tokenizer files. */
import { ConfigError } from "@cloze/errors";
import { tokenizerFiles } from "@cloze/checkpoint";
import { encoderFiles, holdsEncoder } from "./encoder-files.ts";
import type { HubOptions } from "./options.ts";
import { isRevision, parseRepoName, type Repo } from "./repo.ts";
import { fetchSnapshot, type Snapshot } from "./snapshot.ts";

export interface ResolvedModel extends Snapshot {
  readonly repo: Repo;
}

/**
 * The folder of a model of the Hub. Downloads the model into the cache where it is not there yet.
 *
 * `name` is `owner/name` or `name`, also with `@revision`. Only the files that an encoder needs are downloaded
 * (`encoderFiles`), and each is checked. A repository that has only pickles is refused.
 * Throws: ConfigError for a text that is not a name; HubError (with a `reason`); UnsupportedError; StorageError.
 */
export async function resolveModel(
  name: string,
  { revision, ...options }: HubOptions & { readonly revision?: string },
): Promise<ResolvedModel> {
  const parsed = parseRepoName(name);
  if (parsed === undefined)
    throw new ConfigError(
      `${JSON.stringify(name)}: expected the name of a model, such as bert-base-uncased or owner/name@revision, ` +
        "got another text. The name stands at the top of the model's page.",
    );
  if (revision !== undefined && !isRevision(revision))
    throw new ConfigError(
      `${name}: expected a branch, a tag or a commit, got ${JSON.stringify(revision)}. The model's page lists ` +
        `them under "Files and versions".`,
    );
  const repo: Repo = revision === undefined ? parsed : { ...parsed, revision };
  const snapshot = await fetchSnapshot(
    {
      repo,
      optional: tokenizerFiles,
      usable: holdsEncoder,
      choose: (files, read) =>
        encoderFiles(
          name,
          files.map(({ path }) => path),
          read,
        ),
    },
    options,
  );
  return { repo, ...snapshot };
}
