/**
 * Objectives of packages from outside: the package that `cloze objective new` makes, and the package in
 * examples/objectives. Each package passes its own tests and type check in a folder of its own, as after `npm install`.
 * `pretrain` finds each package by name from an empty folder where it is installed.
 */
import { execFile } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, describe, expect, test } from "vitest";
import { cli } from "./run-cli.ts";

const root = fileURLToPath(new URL("../../../", import.meta.url));
const require = createRequire(import.meta.url);
const run = promisify(execFile);
const dir = mkdtempSync(join(tmpdir(), "cloze-objective-packages-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

interface Manifest {
  readonly name: string;
  readonly peerDependencies: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
}
const manifestOf = (folder: string): Manifest =>
  JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as Manifest;

/** Fills node_modules as npm would: with our packages from source, and with the tools of the workspace. */
function install(folder: string, names: readonly string[]): void {
  for (const name of names) {
    const target = name.startsWith("@cloze/")
      ? join(root, "packages", name.slice("@cloze/".length))
      : dirname(require.resolve(`${name}/package.json`));
    const link = join(folder, "node_modules", name);
    mkdirSync(dirname(link), { recursive: true });
    symlinkSync(target, link, "dir");
  }
}

/** Runs a program in the folder. If it fails, its output becomes the error's message. */
async function inside(folder: string, ...args: readonly string[]): Promise<string> {
  const { NODE_OPTIONS: _, VITEST: __, ...env } = process.env;
  try {
    const { stdout, stderr } = await run(process.execPath, args, { cwd: folder, env });
    return stdout + stderr;
  } catch (error) {
    const { stdout, stderr } = error as { readonly stdout: string; readonly stderr: string };
    throw new Error(`${args.join(" ")}\n${stdout}\n${stderr}`, { cause: error });
  }
}

/** Runs the tests and the type check of a package, against the sources of our packages. */
async function passesItsTests(folder: string): Promise<void> {
  const { peerDependencies, devDependencies } = manifestOf(folder);
  install(folder, [...Object.keys(peerDependencies), ...Object.keys(devDependencies), "@types/node"]);
  writeFileSync(
    join(folder, "vitest.config.mjs"),
    'const conditions = ["@cloze/source"];\nexport default { resolve: { conditions }, ssr: { resolve: { ' +
      "conditions } } };\n",
  );
  expect(await inside(folder, "node_modules/vitest/vitest.mjs", "run", "--no-color")).toMatch(/Tests {2}1\d passed/);
  await inside(
    folder,
    "node_modules/typescript/bin/tsc",
    "-p",
    ".",
    "--customConditions",
    "@cloze/source",
    "--allowImportingTsExtensions",
  );
}

const made = cli();

describe("cloze objective new", () => {
  const folder = join(made.dir, "token-order");

  test("makes a package under the name, which passes the kit and its types", async () => {
    const { code, out, err } = await made.run("objective", "new", "token-order");
    expect([code, err]).toEqual([0, ""]);
    expect(out).toContain("Made token-order in token-order");
    expect(readdirSync(folder, { recursive: true }).toSorted()).toEqual([
      "README.md",
      "package.json",
      "src",
      "src/index.d.ts",
      "src/index.js",
      "test",
      "test/token-order.test.js",
      "tsconfig.json",
    ]);
    for (const file of ["README.md", "package.json", "src/index.js", "test/token-order.test.js"])
      expect(readFileSync(join(folder, file), "utf8"), file).not.toContain("my-objective");
    const { version } = JSON.parse(readFileSync(join(root, "apps/cli/package.json"), "utf8")) as {
      readonly version: string;
    };
    expect(manifestOf(folder)).toMatchObject({
      name: "token-order",
      peerDependencies: { "@cloze/objective": `^${version}` },
    });
    await passesItsTests(folder);
  });

  test("takes a scope, and another folder", async () => {
    const { code, json } = await made.run("objective", "new", "@me/ordered", "--out", "deep/er", "--json");
    expect(code).toBe(0);
    expect(json()).toMatchObject({ name: "@me/ordered", folder: join(made.dir, "deep", "er") });
    expect(existsSync(join(made.dir, "deep/er/test/ordered.test.js"))).toBe(true);
    expect(manifestOf(join(made.dir, "deep/er")).name).toBe("@me/ordered");
  });

  test.each([
    [["mlm"], /got mlm, which comes with cloze and would be found first\. Choose another\.$/],
    [["@cloze/objective-nsp"], /got @cloze\/objective-nsp, which comes with cloze/],
    [["Token Order"], /expected a name that npm takes, .+, got "Token Order"\. Choose another\.$/],
    [["../up"], /expected a name that npm takes/],
    [["fs"], /expected a name that npm takes/],
    [["there"], /but there is installed in .+ or above\. Choose another\.$/],
    [
      ["full"],
      /full: expected no folder of that name or an empty one, got one with a\.txt\. Name another with --out\.$/,
    ],
    [["mine", "--out", "full/a.txt"], /a\.txt: expected a folder to write to, got a file\. Name another with --out\.$/],
  ])("refuses %j", async (words, message) => {
    mkdirSync(join(made.dir, "full"), { recursive: true });
    mkdirSync(join(made.dir, "node_modules/there"), { recursive: true });
    writeFileSync(join(made.dir, "full/a.txt"), "");
    writeFileSync(join(made.dir, "node_modules/there/package.json"), '{"name":"there"}');
    const { code, err } = await made.run("objective", "new", ...words);
    expect(code).toBe(2);
    expect(err.trimEnd()).toMatch(message);
    expect(existsSync(join(made.dir, "mine"))).toBe(false);
  });
});

describe("examples/objectives", () => {
  const examples = join(root, "examples/objectives");

  test.each(readdirSync(examples))("%s is no part of the workspace, and passes its tests and types", async (name) => {
    const folder = join(dir, name);
    cpSync(join(examples, name), folder, { recursive: true });
    expect(readFileSync(join(root, "pnpm-lock.yaml"), "utf8")).not.toContain(`examples/objectives/${name}`);
    await passesItsTests(folder);
  });

  test.each([
    ["shuffle-detection", join(examples, "shuffle-detection")],
    ["token-order", join(made.dir, "token-order")],
  ])("--objective %s is found from an empty folder and trained with", async (name, source) => {
    const folder = mkdtempSync(join(dir, "empty-"));
    const target = join(folder, "node_modules", name);
    cpSync(source, target, { recursive: true, filter: (path) => !path.includes("node_modules", source.length) });
    install(folder, Object.keys(manifestOf(target).peerDependencies));
    writeFileSync(
      join(folder, "data.fasta"),
      Array.from({ length: 30 }, (_, i) => `>p${i}\nMKTAYIAKQRQISFVKSHFSRQ${"LEERLGLIEV".slice(i % 9)}\n`).join(""),
    );
    writeFileSync(
      join(folder, "tiny.json"),
      JSON.stringify({
        model_type: "esm",
        vocab_size: 33,
        hidden_size: 16,
        num_hidden_layers: 1,
        num_attention_heads: 2,
        intermediate_size: 32,
        max_position_embeddings: 66,
        position_embedding_type: "rotary",
        token_dropout: false,
        mask_token_id: 32,
        pad_token_id: 1,
        layer_norm_eps: 1e-5,
        hidden_act: "gelu",
        emb_layer_norm_before: false,
        hidden_dropout_prob: 0,
        attention_probs_dropout_prob: 0,
      }),
    );
    const words = [
      "pretrain",
      "--model",
      "tiny.json",
      "--data",
      "data.fasta",
      "--valid",
      "0.2",
      "--steps",
      "3",
      "--batch-tokens",
      "128",
      "--max-length",
      "64",
      "--backend",
      "reference",
      "--out",
      "run",
      "--json",
    ];
    const entry = join(root, "apps/cli/test/start.mjs");
    const printed = await inside(
      folder,
      "--import",
      import.meta.resolve("tsx"),
      "--conditions=@cloze/source",
      entry,
      ...words,
      "--objective",
      name,
    );
    expect(
      JSON.parse(
        printed
          .trimEnd()
          .split("\n")
          .findLast((line) => line.startsWith("{")) ?? "",
      ),
    ).toMatchObject({ steps: 3, interrupted: false });
    expect(readFileSync(join(folder, "run/config.yaml"), "utf8")).toContain(`objective: ${name}`);
  });
});
