// The vitest configuration for every package. Workspace imports resolve to the sources, never to an old dist.
//
// The tests are in four parts. `vitest run --project NAME` runs one part, `npm run test:quick` runs `quick` and
// `quick-alone`, and `npm test` runs all four.
import { configDefaults, defineConfig, type ViteUserConfig } from "vitest/config";
import { readmeExamples } from "./tooling/readme.ts";

const all: string[] = [
  "packages/*/{src,test}/**/*.test.ts",
  "apps/*/{src,test}/**/*.test.ts",
  "docs/**/*.test.ts",
  "tooling/**/*.test.ts",
];

/** Tests that need a GPU or an emulated GPU, a browser, or a packed or installed package. */
const machine: string[] = [
  "packages/backend-webgpu/src/**/*.test.ts",
  "packages/backend-webgpu/test/**/*.test.ts",
  "packages/backend-tfjs/test/vite-page.test.ts",
  "apps/demo/test/*.test.ts",
  "apps/cli/test/objective-packages.test.ts",
];

/** Long tests: whole trainings, and thousands of damaged files. Each test file takes ten seconds or more. */
const long: string[] = [
  "apps/cli/test/changed-data.test.ts",
  "apps/cli/test/one-writer.test.ts",
  "apps/cli/test/packed-rows.test.ts",
  "apps/cli/test/pipes.test.ts",
  "apps/cli/test/pretrain.test.ts",
  "apps/cli/test/recipes.test.ts",
  "apps/cli/test/tasks.test.ts",
  "apps/cli/test/tfjs.test.ts",
  "packages/checkpoint/test/mutations.test.ts",
  "packages/lock/test/lock.test.ts",
  "packages/trainer/test/loss-scale.test.ts",
  "tooling/backends-example.test.ts",
  "tooling/text-examples.test.ts",
];

/** Tests that need a separate process, because they load an engine first or change vitest itself. */
const alone: string[] = [
  "packages/backend-onnxruntime/{src,test}/**/*.test.ts",
  "packages/backend-tfjs/{src,test}/**/*.test.ts",
  "packages/objective/test/kit.test.ts",
  "apps/cli/test/process.test.ts",
];

const part = (name: string, include: string[], exclude: string[] = [], isolate = true) => ({
  extends: true as const,
  test: { name, include, exclude: [...configDefaults.exclude, ...exclude], isolate },
});

const config: ViteUserConfig = defineConfig({
  plugins: [readmeExamples()],
  resolve: { conditions: ["@cloze/source"] },
  ssr: { resolve: { conditions: ["@cloze/source"] } },
  test: {
    pool: "forks",
    testTimeout: 180_000,
    hookTimeout: 180_000,
    projects: [
      // The test files of one worker share modules, which saves imports. That is safe: no module of ours has state.
      part("quick", all, [...machine, ...long, ...alone], false),
      part("quick-alone", alone, [...machine, ...long]),
      part("long", long),
      part("machine", machine),
    ],
  },
});
export default config;
