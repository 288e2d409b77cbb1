/**
 * Models of the Hugging Face Hub by name: looked up in the cache that Python's huggingface_hub keeps, and downloaded
 * into it.
 *
 * Node only.
 */
export { resolveModel, type ResolvedModel } from "./resolve-model.ts";
export { fetchSnapshot, type Snapshot, type SnapshotRequest } from "./snapshot.ts";
export { hubSettings, type HubSettings } from "./settings.ts";
export { parseRepoName, type Repo } from "./repo.ts";
export { encoderFiles } from "./encoder-files.ts";
export type { HubOptions, HubProgress } from "./options.ts";
export type { RepoFile } from "./api.ts";
export { HubError, type HubErrorReason } from "./hub-error.ts";
