// All code that a page loads to train or run an encoder on its GPU. The size check (.size-limit.cjs) measures this
// file.
export * from "@cloze/graph";
export * from "@cloze/nn";
export * from "@cloze/models/esm2";
export * from "@cloze/backend-webgpu";
