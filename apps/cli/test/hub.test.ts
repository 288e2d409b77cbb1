// Models of the Hub by name, wherever a command takes a checkpoint. A local server plays the Hub.
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { encodeSafetensors, fromFloat32 } from "@cloze/checkpoint";
import { esm2, esm2ConfigJson, esm2Configs } from "@cloze/models/esm2";
import { initialize, maskedLmParameters } from "@cloze/nn";
import { esm2 as esm2Tokenizer } from "@cloze/tokenizer-protein";
import { cli } from "./run-cli.ts";

const commit = "0123456789abcdef0123456789abcdef01234567";
const home = mkdtempSync(join(tmpdir(), "cloze-cli-hub-"));
const config = { ...esm2Configs["esm2-8m"], layers: 1, hidden: 16, heads: 2, intermediate: 32 };
const weights = initialize(maskedLmParameters(esm2(config)), 0);
const files: Readonly<Record<string, Uint8Array>> = {
  "config.json": new TextEncoder().encode(JSON.stringify(esm2ConfigJson(config))),
  "model.safetensors": encodeSafetensors(
    Object.entries(weights).map(([name, { shape, data }]) => ({
      name,
      shape,
      dtype: "F32" as const,
      data: fromFloat32("F32", Float32Array.from(data)),
    })),
  ),
  ...Object.fromEntries(
    Object.entries(esm2Tokenizer().files()).map(([name, text]) => [name, new TextEncoder().encode(text)]),
  ),
};
const asked: string[] = [];
const server = createServer((request, response) => {
  const { pathname } = new URL(request.url ?? "", "http://hub");
  const file = files[pathname.split("/").at(-1) ?? ""];
  asked.push(pathname);
  if (pathname === "/api/models/owner/tiny/revision/main")
    response.end(JSON.stringify({ id: "owner/tiny", sha: commit }));
  else if (pathname === `/api/models/owner/tiny/tree/${commit}`) {
    response.end(
      JSON.stringify(
        Object.entries(files).map(([path, bytes]) => ({
          type: "file",
          path,
          size: bytes.length,
          oid: createHash("sha1").update(`blob ${bytes.length}\0`).update(bytes).digest("hex"),
        })),
      ),
    );
  } else if (pathname.startsWith(`/owner/tiny/resolve/${commit}/`) && file !== undefined) response.end(file);
  else response.writeHead(404, { "x-error-code": "RepoNotFound" }).end();
});
const env: Record<string, string> = { HF_HOME: home };
const here = cli(undefined, env);
const { run } = here;

beforeAll(async () => {
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  env["HF_ENDPOINT"] = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(async () => {
  await new Promise<void>((done) => server.close(() => done()));
  rmSync(home, { recursive: true, force: true });
});

const fill = (checkpoint: string): readonly string[] => [
  "fill-mask",
  "MKT<mask>YI",
  "--checkpoint",
  checkpoint,
  "--backend",
  "reference",
  "--json",
];

test("download: which files, and where", async () => {
  const { code, json } = await run("download", "owner/tiny", "--json");
  const total = Object.values(files).reduce((sum, bytes) => sum + bytes.length, 0);
  expect(code).toBe(0);
  expect(json()).toMatchObject({
    commit,
    folder: join(home, "hub/models--owner--tiny/snapshots", commit),
    downloadedBytes: total,
  });
  const again = await run("download", "owner/tiny");
  expect(again.out).toMatch(/downloaded +nothing: it was in the cache/);
});

test("a name is as good as its folder; a folder of that name wins", async () => {
  const { json } = await run("download", "owner/tiny", "--json");
  const byFolder = await run(...fill(String(json()["folder"])));
  const byName = await run(...fill("owner/tiny"));
  expect([byName.code, byName.json()]).toEqual([0, byFolder.json()]);
  expect((await run("tokenize", "MKT", "--tokenizer", "owner/tiny")).out).toBe((await run("tokenize", "MKT")).out);
  asked.length = 0;
  mkdirSync(join(here.dir, "owner/tiny"), { recursive: true });
  expect((await run(...fill("owner/tiny"))).err).toContain("got one without config.json");
  expect(asked).toEqual([]);
  rmSync(join(here.dir, "owner"), { recursive: true });
});

test("what is neither is one line", async () => {
  const { code, err } = await run(...fill("owner/other"));
  expect([code, err.trim().split("\n").length]).toEqual([2, 1]);
  expect(err).toMatch(
    /^cloze: --checkpoint owner\/other: expected a checkpoint folder, found nothing there; and as a model of the Hub: owner\/other: expected a repository of this name on http:.*, got 404\. Check the name/,
  );
  expect((await run(...fill("./owner/tiny"))).err).toMatch(
    /--checkpoint \.\/owner\/tiny: expected a checkpoint folder, found nothing there\. There is no folder \.\/owner\. Check the path\.$/m,
  );
  expect((await run("tokenize", "MKT", "--tokenizer", "esm3")).err).toContain("Did you mean esm2?");
  expect(await run("download", "../tiny")).toMatchObject({
    code: 2,
    err: expect.stringContaining('"../tiny": expected the name of a model'),
  });
});

describe("the Hub is not asked for a path", () => {
  const { write } = here;
  beforeAll(() => {
    mkdirSync(join(here.dir, "runs/mine"), { recursive: true });
    write("model.safetensors", "");
    write("proteins.fasta", ">a\nMKT\n");
    asked.length = 0;
  });
  afterAll(() => rmSync(join(here.dir, "runs"), { recursive: true }));

  test.each([
    ["./owner/tiny", " There is no folder ./owner. Check the path."],
    ["../owner/tiny", " There is no folder ../owner. Check the path."],
    ["/owner/tiny", " There is no folder /owner. Check the path."],
    ["~/owner", " The shell left ~ as it is: write the whole path."],
    ["C:\\owner\\tiny", " Check the path."],
    ["owner/tiny/checkpoints", " There is no folder owner/tiny. Check the path."],
    ["owner/", " Check the path."],
    ["owner/model.safetensors", " There is no folder owner. Check the path."],
    ["modle.safetensors", " Did you mean model.safetensors?"],
    ["owner/proteins.fasta", " There is no folder owner. Check the path."],
    ["runs/mien", " Did you mean runs/mine? A model of the Hub is written OWNER/NAME, or runs/mien@main."],
    ["rusn/mine", " Did you mean runs/mine? A model of the Hub is written OWNER/NAME, or rusn/mine@main."],
    ["runs/another", " Check the path. A model of the Hub is written OWNER/NAME, or runs/another@main."],
    ["my-model", " Check the path. A model of the Hub is written OWNER/NAME, or NAME@main."],
    [
      "ru?s/*",
      " The shell left this pattern as it is, and nothing here matches it. Leave out its quotes, or name the files.",
    ],
  ])("%s", async (name, rest) => {
    const said = `${name}: expected a checkpoint folder, found nothing there.${rest}\n`;
    expect((await run(...fill(name))).err).toBe(`cloze: --checkpoint ${said}`);
    expect((await run("pretrain", "proteins.fasta", "--from", name, "--steps", "1")).err).toBe(`cloze: --from ${said}`);
    expect((await run("checkpoint", "convert", name, "out")).err).toBe(`cloze: checkpoint convert ${said}`);
    expect((await run("tokenize", "MKT", "--tokenizer", name)).err).toBe(
      `cloze: --tokenizer ${said.replace("a checkpoint", "esm2, protbert, amplify or a checkpoint")}`,
    );
    expect(asked).toEqual([]);
  });

  test.each([
    ["owner/train.zip", " There is no folder owner. Check the path."],
    ["owner/reads.fastq", " There is no folder owner. Check the path."],
    ["a/b/c", " There is no folder a/b. Check the path."],
    ["./owner/set", " There is no folder ./owner. Check the path."],
    ["protein.fasta", " Did you mean proteins.fasta?"],
    [
      "*.fsta",
      " The shell left this pattern as it is, and nothing here matches it. Leave out its quotes, or name the files.",
    ],
    ["runs/set", " Check the path. A data set of the Hub is written hf://datasets/runs/set."],
  ])("of data: %s", async (name, rest) => {
    const said = `${name}: expected a FASTA file, text, JSONL, CSV, Parquet or token shards, got nothing there.${rest}\n`;
    expect((await run("data", "inspect", name)).err).toBe(`cloze: ${said}`);
    expect((await run("data", "prepare", name, "--out", "shards")).err).toBe(`cloze: data prepare: ${said}`);
    expect((await run("pretrain", name)).err).toBe(`cloze: --data ${said}`);
    expect((await run("pretrain", `0.5:${name}`)).err).toBe(`cloze: --data ${said}`);
    expect((await run("estimate", name, "--model", "esm2-8m", "--max-length", "64")).err).toBe(`cloze: --data ${said}`);
    if (!name.includes("f")) {
      const text = said.replace(/a FASTA file.*shards/, "a file of text, JSONL, CSV, TSV or Parquet");
      expect((await run("tokenizer", "train", name, "--out", "t")).err).toBe(`cloze: --data ${text}`);
    }
    expect(asked).toEqual([]);
  });

  test("a name of the Hub is asked for, by its revision too where a folder has its first part", async () => {
    await run(...fill("bert-base-uncased"));
    await run(...fill("runs/mien@main"));
    await run("data", "inspect", "owner/set");
    await run("data", "inspect", "hf://datasets/runs/set");
    expect(asked).toEqual([
      "/api/models/bert-base-uncased/revision/main",
      "/api/models/runs/mien/revision/main",
      "/api/datasets/owner/set/tree/refs%2Fconvert%2Fparquet",
      "/api/datasets/runs/set/tree/refs%2Fconvert%2Fparquet",
    ]);
  });
});

test("offline: what is in the cache, and nothing else", async () => {
  const offline = cli(undefined, { ...env, TRANSFORMERS_OFFLINE: "1" });
  asked.length = 0;
  expect((await offline.run(...fill("owner/tiny"))).code).toBe(0);
  expect((await offline.run("download", "owner/other")).err).toContain(
    "since the Hub is not asked (offline), got nothing",
  );
  expect(asked).toEqual([]);
});
