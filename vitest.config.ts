// One configuration for every package: workspace imports resolve to source, never to a stale dist.
import { defineConfig, type ViteUserConfig } from "vitest/config";
import { readmeExamples } from "./tooling/readme.ts";

const config: ViteUserConfig = defineConfig({
  plugins: [readmeExamples()],
  resolve: { conditions: ["@cloze/source"] },
  ssr: { resolve: { conditions: ["@cloze/source"] } },
  test: {
    include: [
      "packages/*/{src,test}/**/*.test.ts",
      "apps/*/{src,test}/**/*.test.ts",
      "docs/**/*.test.ts",
      "tooling/**/*.test.ts",
    ],
    pool: "forks",
    testTimeout: 180_000,
    hookTimeout: 180_000,
  },
});
export default config;
