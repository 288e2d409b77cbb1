// The cache: one that Python wrote, offline use, and several processes at the same time.
import { spawn, type ChildProcess } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it, onTestFinished } from "vitest";
import { openCheckpointTensors } from "@cloze/checkpoint/node";
import { ownerTag } from "@cloze/lock";
import { HubError, resolveModel, type HubOptions } from "../src/index.ts";
import { commit, etagOf, fakeHub, sha256, type FakeFile, type FakeHub } from "./fake-hub.ts";
import { tinyModel, weights } from "./tiny-model.ts";

const repoFolder = (hub: { readonly cacheDir: string }): string => join(hub.cacheDir, "models--owner--tiny");
const incomplete = (hub: FakeHub): readonly string[] =>
  readdirSync(join(repoFolder(hub), "blobs")).filter((name) => name.endsWith(".incomplete"));

/** Makes a cache in the layout of huggingface_hub, with its links. */
function pythonCache(files: Readonly<Record<string, FakeFile>>, name: string = "models--owner--tiny"): HubOptions {
  const cacheDir = mkdtempSync(join(tmpdir(), "cloze-hub-"));
  const folder = join(cacheDir, name);
  onTestFinished(() => rmSync(cacheDir, { recursive: true, force: true }));
  for (const sub of ["blobs", "refs/refs/pr", `snapshots/${commit}`, ".no_exist"])
    mkdirSync(join(folder, sub), { recursive: true });
  writeFileSync(join(cacheDir, "CACHEDIR.TAG"), "Signature: 8a477f597d28d172789f06886806bc55\n");
  writeFileSync(join(folder, "refs", "main"), commit);
  writeFileSync(join(folder, "refs", "refs", "pr", "1"), commit);
  for (const [path, file] of Object.entries(files)) {
    writeFileSync(join(folder, "blobs", etagOf(file)), file.bytes);
    symlinkSync(join("..", "..", "blobs", etagOf(file)), join(folder, "snapshots", commit, path));
  }
  return { cacheDir, endpoint: "http://127.0.0.1:1", token: undefined, offline: true, retryMs: 1 };
}

describe("a cache that Python wrote", () => {
  it("is read offline, by branch, by pull request and by commit", async () => {
    const options = pythonCache(tinyModel);
    const folder = join(options.cacheDir, "models--owner--tiny", "snapshots", commit);
    for (const name of ["owner/tiny", "owner/tiny@refs/pr/1", `owner/tiny@${commit}`]) {
      expect(await resolveModel(name, options)).toMatchObject({ folder, commit, downloadedBytes: 0 });
    }
    const tensors = await openCheckpointTensors(folder);
    expect([...tensors.entries.keys()]).toEqual(["w"]);
    await tensors.close();
  });

  it("is read for a model without an owner", async () => {
    const options = pythonCache(tinyModel, "models--bert-base-uncased");
    expect((await resolveModel("bert-base-uncased", options)).folder).toBe(
      join(options.cacheDir, "models--bert-base-uncased", "snapshots", commit),
    );
  });

  it("is taken where the Hub cannot be reached, and that is said", async () => {
    const notes: string[] = [];
    const options = { ...pythonCache(tinyModel), offline: false, onNote: (note: string) => notes.push(note) };
    expect(await resolveModel("owner/tiny", options)).toMatchObject({ commit, downloadedBytes: 0 });
    expect(notes).toEqual([
      expect.stringMatching(
        /expected an answer of http:\/\/127\.0\.0\.1:1, got .* Taking what the cache has: commit 0123456789ab\.$/,
      ),
    ]);
  });

  it("that lacks the weights is no model", async () => {
    const { "config.json": config } = tinyModel;
    const options = pythonCache(config === undefined ? {} : { "config.json": config });
    const errors = await Promise.all(
      ["owner/tiny", "owner/other", "owner/tiny@v2"].map((name) =>
        resolveModel(name, options).catch((error: unknown) => error),
      ),
    );
    expect(errors.every((error) => HubError.isInstance(error) && error.reason === "not-cached")).toBe(true);
    expect(errors.map((error) => (error as Error).message.replaceAll(options.cacheDir, "CACHE"))).toEqual([
      "owner/tiny: expected it in the cache CACHE/models--owner--tiny, since the Hub is not asked (offline), got " +
        "a part of it. Download it once with the network: cloze download owner/tiny",
      "owner/other: expected it in the cache CACHE/models--owner--other, since the Hub is not asked (offline), " +
        "got nothing. Download it once with the network: cloze download owner/other",
      "owner/tiny@v2: expected it in the cache CACHE/models--owner--tiny, since the Hub is not asked (offline), " +
        "got nothing. Download it once with the network: cloze download owner/tiny --revision v2",
    ]);
  });

  it("without the tokenizer is completed where it is pinned", async () => {
    const { "config.json": config = weights } = tinyModel;
    const hub = await fakeHub(tinyModel);
    const { cacheDir } = pythonCache({ "config.json": config, "model.safetensors": weights });
    cpSync(cacheDir, hub.cacheDir, { recursive: true, verbatimSymlinks: true });
    const { folder, downloadedBytes } = await resolveModel(`owner/tiny@${commit}`, hub.options);
    expect(readdirSync(folder).sort()).toEqual([
      "config.json",
      "model.safetensors",
      "tokenizer_config.json",
      "vocab.txt",
    ]);
    expect(downloadedBytes).toBe(
      ["tokenizer_config.json", "vocab.txt"].reduce((sum, name) => sum + (tinyModel[name]?.bytes.length ?? 0), 0),
    );
  });

  it("whose links lead nowhere is mended", async () => {
    const hub = await fakeHub(tinyModel);
    const { folder } = await resolveModel("owner/tiny", hub.options);
    unlinkSync(join(repoFolder(hub), "blobs", sha256(weights.bytes)));
    expect(existsSync(join(folder, "model.safetensors"))).toBe(false);
    await resolveModel("owner/tiny", hub.options);
    expect(sha256(readFileSync(join(folder, "model.safetensors")))).toBe(sha256(weights.bytes));
  });
});

/** Starts another process that resolves `owner/tiny`. The last line of its output is the folder. */
function other(hub: FakeHub): {
  readonly child: ChildProcess;
  readonly done: Promise<{ readonly code: number | null; readonly out: string }>;
} {
  const file = fileURLToPath(new URL("./resolving-process.ts", import.meta.url));
  const root = fileURLToPath(new URL("../../..", import.meta.url));
  const child = spawn(
    process.execPath,
    ["--import", "tsx", "--conditions=@cloze/source", file, JSON.stringify(hub.options)],
    { cwd: root, stdio: ["ignore", "pipe", "inherit"] },
  );
  let out = "";
  child.stdout.on("data", (piece: Buffer) => {
    out += piece.toString();
  });
  return { child, done: new Promise((resolve) => child.on("close", (code) => resolve({ code, out }))) };
}

describe("several processes", () => {
  it("download a file once", async () => {
    const hub = await fakeHub(tinyModel);
    hub.faults.push({ kind: "slow", ms: 1500 }, { kind: "slow", ms: 1500 });
    const results = await Promise.all([
      other(hub).done,
      other(hub).done,
      resolveModel("owner/tiny", hub.options),
      resolveModel("owner/tiny", hub.options),
    ]);
    expect(results.map((each) => ("code" in each ? each.code : 0))).toEqual([0, 0, 0, 0]);
    expect(hub.seen.filter(({ host }) => host === "cdn")).toHaveLength(1);
    expect(hub.seen.filter(({ url }) => url.endsWith("/vocab.txt"))).toHaveLength(1);
    expect(readdirSync(join(hub.cacheDir, ".locks", "models--owner--tiny"))).toEqual([]);
  });

  it("that are killed leave what they had to the next", async () => {
    const hub = await fakeHub(tinyModel);
    const { child, done } = other(hub);
    hub.faults.push({ kind: "slow", ms: 1 }, { kind: "hang", afterBytes: 150_000 });
    await until(() => incomplete(hub).some((name) => statSync(join(repoFolder(hub), "blobs", name)).size === 150_000));
    child.kill("SIGKILL");
    await done;
    hub.seen.length = 0;
    const { folder } = await resolveModel("owner/tiny", hub.options);
    expect(hub.seen.filter(({ host }) => host === "cdn").map(({ range }) => range)).toEqual(["bytes=150000-"]);
    expect(sha256(readFileSync(join(folder, "model.safetensors")))).toBe(sha256(weights.bytes));
    expect(incomplete(hub)).toEqual([]);
    expect(readdirSync(join(hub.cacheDir, ".locks", "models--owner--tiny"))).toEqual([]);
  });

  it("of another machine are waited for while they are at work, and no longer", async () => {
    const hub = await fakeHub(tinyModel);
    const lock = join(hub.cacheDir, ".locks", "models--owner--tiny", `${sha256(weights.bytes)}.cloze.lock`);
    const notes: string[] = [];
    mkdirSync(dirname(lock), { recursive: true });
    writeFileSync(lock, JSON.stringify({ owner: ownerTag().replace(/^.{8}/, "00000000") }));
    const under = resolveModel("owner/tiny", { ...hub.options, onNote: (note) => notes.push(note) });
    await until(() => notes.length > 0);
    expect(notes).toEqual(["model.safetensors: another process is downloading it; waiting for that"]);
    expect(incomplete(hub)).toEqual([]);
    const long = Date.now() / 1000 - 1000;
    utimesSync(lock, long, long);
    expect(readdirSync((await under).folder)).toContain("model.safetensors");
  });
});

async function until(holds: () => boolean): Promise<void> {
  for (let tries = 0; !existsAnd(holds); tries++) {
    if (tries > 1000) throw new Error("it did not come about");
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

function existsAnd(holds: () => boolean): boolean {
  try {
    return holds();
  } catch {
    return false; // the folder does not exist yet
  }
}
