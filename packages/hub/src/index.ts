/**
 * The entry `@cloze/hub`: models of the Hugging Face Hub by name.
 *
 * It looks a model up in the cache of Python's huggingface_hub, and downloads it into that cache. Node only.
 */
export { resolveModel, type ResolvedModel } from "./resolve-model.ts";
export { fetchSnapshot, type Snapshot, type SnapshotRequest } from "./snapshot.ts";
export { hubSettings, type HubSettings } from "./settings.ts";
export { looksLikeRepo, parseRepoName, type Repo } from "./repo.ts";
export { encoderFiles } from "./encoder-files.ts";
export type { HubOptions, HubProgress } from "./options.ts";
export type { RepoFile } from "./api.ts";
export { HubError, type HubErrorReason } from "./hub-error.ts";
