// What a page loads that trains or runs an encoder on its GPU, whole: the size check (.size-limit.cjs) measures this.
export * from "@cloze/graph";
export * from "@cloze/nn";
export * from "@cloze/models/esm2";
export * from "@cloze/backend-webgpu";
