// The bundle's limit, gzipped, as a page would get it. Sources are bundled, so no build is needed; an import of a Node
// built-in fails it.
module.exports = [
  {
    name: "graph + nn + models/esm2 + backend-webgpu, for the browser",
    path: "bench/bundle/browser.mjs",
    limit: "90 kB",
    gzip: true,
    modifyEsbuildConfig: (config) => ({ ...config, platform: "browser", conditions: ["@cloze/source"] }),
  },
];
