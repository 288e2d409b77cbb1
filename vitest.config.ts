// One configuration for every package: workspace imports resolve to source, never to a stale dist.
//
// The tests are in parts, which `vitest run --project NAME` picks. `npm run test:quick` runs `quick` and `quick-alone`;
// `npm test` runs `long` and `machine` as well.
import { configDefaults, defineConfig, type ViteUserConfig } from "vitest/config";
import { readmeExamples } from "./tooling/readme.ts";

const all: string[] = [
  "packages/*/{src,test}/**/*.test.ts",
  "apps/*/{src,test}/**/*.test.ts",
  "docs/**/*.test.ts",
  "tooling/**/*.test.ts",
];

/** Tests of a GPU or its emulation, of a browser, and of packages that are packed or installed. */
const machine: string[] = [
  "packages/backend-webgpu/src/**/*.test.ts",
  "packages/backend-webgpu/test/**/*.test.ts",
  "packages/backend-tfjs/test/vite-page.test.ts",
  "apps/demo/test/*.test.ts",
  "apps/cli/test/objective-packages.test.ts",
];

/** Whole trainings, and thousands of damaged files: ten seconds or more a file. */
const long: string[] = [
  "apps/cli/test/packed-rows.test.ts",
  "apps/cli/test/pretrain.test.ts",
  "apps/cli/test/recipes.test.ts",
  "apps/cli/test/tasks.test.ts",
  "apps/cli/test/tfjs.test.ts",
  "packages/checkpoint/test/mutations.test.ts",
  "packages/trainer/test/loss-scale.test.ts",
  "tooling/backends-example.test.ts",
  "tooling/text-examples.test.ts",
];

/** Tests that need a process of their own: they load an engine first, or change what vitest itself is. */
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
      // The files of one worker share its modules, which saves their imports: no module of ours has state.
      part("quick", all, [...machine, ...long, ...alone], false),
      part("quick-alone", alone, [...machine, ...long]),
      part("long", long),
      part("machine", machine),
    ],
  },
});
export default config;
