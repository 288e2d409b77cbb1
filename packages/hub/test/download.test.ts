// Downloads from a fake Hub, with the faults that can happen on the way.
import { lstatSync, readFileSync, readdirSync, readlinkSync, existsSync, writeFileSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { HubError, resolveModel, type HubErrorReason, type HubProgress } from "../src/index.ts";
import { commit, etagOf, fakeHub, gitOid, sha256, type FakeHub } from "./fake-hub.ts";
import { sharded, tinyModel, weights } from "./tiny-model.ts";

const repoFolder = (hub: FakeHub): string => join(hub.cacheDir, "models--owner--tiny");
const blobs = (hub: FakeHub): readonly string[] => readdirSync(join(repoFolder(hub), "blobs"));
const served = (hub: FakeHub): readonly (string | undefined)[] =>
  hub.seen.filter(({ host }) => host === "cdn").map(({ range }) => range);
/** The small files of the tiny model: all that an encoder needs except the weights. */
const small = ["config.json", "tokenizer_config.json", "vocab.txt"];

async function refusal(promise: Promise<unknown>): Promise<HubError> {
  const error: unknown = await promise.then(
    () => undefined,
    (e: unknown) => e,
  );
  if (!HubError.isInstance(error)) throw new Error(`expected a HubError, got ${String(error)}`);
  expect(error.message).not.toContain("\n");
  return error;
}

describe("a download", () => {
  it("brings what an encoder needs, in the layout of Python's cache", async () => {
    const hub = await fakeHub(tinyModel);
    const progress: HubProgress[] = [];
    const {
      folder,
      commit: got,
      downloadedBytes,
    } = await resolveModel("owner/tiny", { ...hub.options, onProgress: (each) => progress.push(each) });
    expect([folder, got]).toEqual([join(repoFolder(hub), "snapshots", commit), commit]);
    expect(readdirSync(folder).sort()).toEqual([
      "config.json",
      "model.safetensors",
      "tokenizer_config.json",
      "vocab.txt",
    ]);
    for (const name of readdirSync(folder)) {
      const file = tinyModel[name];
      if (file === undefined) throw new Error(name);
      expect(new Uint8Array(readFileSync(join(folder, name)))).toEqual(file.bytes);
      expect(readlinkSync(join(folder, name))).toBe(join("..", "..", "blobs", etagOf(file)));
      expect(lstatSync(join(repoFolder(hub), "blobs", etagOf(file))).isFile()).toBe(true);
    }
    expect(readFileSync(join(repoFolder(hub), "refs", "main"), "utf8")).toBe(commit);
    expect(readdirSync(join(repoFolder(hub), ".no_exist", commit)).sort()).toEqual([
      "added_tokens.json",
      "merges.txt",
      "special_tokens_map.json",
      "tokenizer.json",
      "vocab.json",
    ]);
    expect(blobs(hub)).toHaveLength(4);
    const total = ["config.json", "model.safetensors", "tokenizer_config.json", "vocab.txt"].reduce(
      (sum, name) => sum + (tinyModel[name]?.bytes.length ?? 0),
      0,
    );
    expect(downloadedBytes).toBe(total);
    expect(progress.at(-1)).toMatchObject({ bytes: total, totalBytes: total });
    expect(progress.every(({ bytes }, i) => bytes >= (progress[i - 1]?.bytes ?? 0))).toBe(true);
    expect(hub.seen.some(({ url }) => url.includes("pytorch_model") || url.includes("README"))).toBe(false);
  });

  it("is not made twice; one that is pinned asks nothing", async () => {
    const hub = await fakeHub(tinyModel);
    const first = await resolveModel("owner/tiny@v1", hub.options);
    hub.seen.length = 0;
    expect(await resolveModel("owner/tiny", hub.options)).toEqual({
      ...first,
      downloadedBytes: 0,
      repo: { name: "owner/tiny", revision: "main" },
    });
    expect(hub.seen.every(({ url }) => url.startsWith("/api/"))).toBe(true);
    hub.seen.length = 0;
    expect((await resolveModel("owner/tiny", { ...hub.options, revision: commit })).folder).toBe(first.folder);
    expect((await resolveModel(`owner/tiny@${commit}`, hub.options)).folder).toBe(first.folder);
    expect(hub.seen).toEqual([]);
    expect(readFileSync(join(repoFolder(hub), "refs", "v1"), "utf8")).toBe(commit);
  });

  it("gives the token to the Hub and not to the CDN", async () => {
    const hub = await fakeHub(tinyModel);
    await resolveModel("owner/tiny", { ...hub.options, token: "secret" });
    expect(new Set(hub.seen.map(({ host, authorization }) => `${host} ${authorization}`))).toEqual(
      new Set(["hub Bearer secret", "cdn undefined"]),
    );
  });

  it("of a model in shards brings those that the index names", async () => {
    const hub = await fakeHub({
      ...sharded({ w: "model-00001-of-00002.safetensors", v: "model-00002-of-00002.safetensors" }),
      "model-00003-of-00003.safetensors": weights,
    });
    const { folder } = await resolveModel("owner/tiny", hub.options);
    expect(readdirSync(folder).sort()).toEqual([
      "config.json",
      "model-00001-of-00002.safetensors",
      "model-00002-of-00002.safetensors",
      "model.safetensors.index.json",
    ]);
  });
});

describe("a connection", () => {
  it("that drops is made again and goes on where it ended", async () => {
    const hub = await fakeHub({ "config.json": tinyModel["config.json"] ?? weights, "model.safetensors": weights });
    const half = 70_000;
    hub.faults.push(
      { kind: "slow", ms: 1 },
      { kind: "drop", afterBytes: half },
      { kind: "drop", afterBytes: 1000 },
      { kind: "status", status: 503 },
    );
    const { folder } = await resolveModel("owner/tiny", hub.options);
    expect(sha256(readFileSync(join(folder, "model.safetensors")))).toBe(sha256(weights.bytes));
    // The last bytes before a dropped connection may get lost.
    const [first, ...starts] = served(hub).map((range) =>
      range === undefined ? undefined : Number(/^bytes=(\d+)-$/.exec(range)?.[1]),
    );
    const [second = 0, third = 0, fourth] = starts;
    expect([first, starts.length, fourth]).toEqual([undefined, 3, third]);
    expect(second).toBeGreaterThan(0);
    expect(second).toBeLessThanOrEqual(half);
    expect(third).toBeGreaterThanOrEqual(second);
    expect(third).toBeLessThanOrEqual(second + 1000);
  });

  it("that stalls is made again", async () => {
    const hub = await fakeHub({ "config.json": tinyModel["config.json"] ?? weights, "model.safetensors": weights });
    hub.faults.push({ kind: "slow", ms: 1 }, { kind: "hang", afterBytes: 50_000 });
    const { folder } = await resolveModel("owner/tiny", { ...hub.options, stallMs: 300 });
    expect(sha256(readFileSync(join(folder, "model.safetensors")))).toBe(sha256(weights.bytes));
    expect(served(hub)).toEqual([undefined, "bytes=50000-"]);
  });

  it("whose server knows no ranges starts anew", async () => {
    const hub = await fakeHub({ "config.json": tinyModel["config.json"] ?? weights, "model.safetensors": weights });
    hub.faults.push({ kind: "slow", ms: 1 }, { kind: "drop", afterBytes: 50_000 }, { kind: "ignore-range" });
    const { folder } = await resolveModel("owner/tiny", hub.options);
    expect(sha256(readFileSync(join(folder, "model.safetensors")))).toBe(sha256(weights.bytes));
  });

  it("that keeps dropping is given up, what came is kept, and the next call goes on there", async () => {
    const hub = await fakeHub({ "config.json": tinyModel["config.json"] ?? weights, "model.safetensors": weights });
    hub.faults.push(
      { kind: "slow", ms: 1 },
      { kind: "drop", afterBytes: 60_000 },
      ...Array.from({ length: 4 }, () => ({ kind: "drop", afterBytes: 0 }) as const),
    );
    const error = await refusal(resolveModel("owner/tiny", hub.options));
    expect([error.reason, error.message]).toEqual([
      "network",
      expect.stringContaining(
        `owner/tiny, model.safetensors, after 60000 of ${weights.bytes.length} bytes: expected an answer of ` +
          "http://127.0.0.1",
      ),
    ]);
    expect(existsSync(join(repoFolder(hub), "refs"))).toBe(false);
    hub.seen.length = 0;
    const { folder, downloadedBytes } = await resolveModel("owner/tiny", hub.options);
    expect(served(hub)).toEqual(["bytes=60000-"]);
    expect(downloadedBytes).toBe(weights.bytes.length - 60_000);
    expect(sha256(readFileSync(join(folder, "model.safetensors")))).toBe(sha256(weights.bytes));
    expect(blobs(hub).filter((name) => name.includes("incomplete"))).toEqual([]);
  });

  it("ends when it is asked to", async () => {
    const hub = await fakeHub(tinyModel);
    const abort = new AbortController();
    hub.faults.push(...small.map(() => ({ kind: "hang", afterBytes: 1 }) as const));
    const under = resolveModel("owner/tiny", {
      ...hub.options,
      signal: abort.signal,
      onProgress: ({ bytes }) => bytes === 1 && abort.abort(new Error("enough")),
    });
    await expect(under).rejects.toThrow("enough");
  });
});

describe("bytes that are not the right ones", () => {
  it("are discarded", async () => {
    for (const [name, skip] of [
      ["model.safetensors", 1],
      ["config.json", 0],
    ] as const) {
      const hub = await fakeHub(tinyModel);
      hub.faults.push(...Array.from({ length: skip }, () => ({ kind: "slow", ms: 1 }) as const), {
        kind: "other-bytes",
      });
      const error = await refusal(resolveModel("owner/tiny", hub.options));
      const file = tinyModel[name];
      expect(error.reason).toBe("damaged");
      expect(error.message).toContain(
        `owner/tiny, ${name}: expected the checksum ${file === undefined ? "" : etagOf(file)}, got `,
      );
      expect(blobs(hub).some((blob) => file !== undefined && blob === etagOf(file))).toBe(false);
      await resolveModel("owner/tiny", hub.options);
    }
  });

  it("of an earlier part are downloaded anew", async () => {
    const hub = await fakeHub(tinyModel);
    const notes: string[] = [];
    hub.faults.push(
      { kind: "slow", ms: 1 },
      { kind: "drop", afterBytes: 60_000 },
      ...Array.from({ length: 4 }, () => ({ kind: "drop", afterBytes: 0 }) as const),
    );
    await refusal(resolveModel("owner/tiny", hub.options));
    const part = blobs(hub).find((name) => name.endsWith(".incomplete")) ?? "";
    writeFileSync(join(repoFolder(hub), "blobs", part), new Uint8Array(60_000));
    const { folder } = await resolveModel("owner/tiny", { ...hub.options, onNote: (note) => notes.push(note) });
    expect(sha256(readFileSync(join(folder, "model.safetensors")))).toBe(sha256(weights.bytes));
    expect(notes).toEqual([
      expect.stringContaining("model.safetensors: what an earlier download had left was damaged"),
    ]);
  });

  it("than the list says are an error", async () => {
    const hub = await fakeHub(tinyModel);
    hub.listing = (entries) =>
      entries.map((entry) => (entry["path"] === "config.json" ? { ...entry, size: 10 } : entry));
    expect(await refusal(resolveModel("owner/tiny", hub.options))).toMatchObject({
      reason: "damaged",
      message: expect.stringContaining("config.json: expected 10 bytes, got more"),
    });
  });
});

describe("a hostile server", () => {
  const outside = (hub: FakeHub): readonly string[] =>
    readdirSync(join(hub.cacheDir)).filter((name) => ![".locks", "models--owner--tiny"].includes(name));

  it("cannot name a file outside of the cache", async () => {
    for (const shard of [
      "../../../evil.safetensors",
      "/tmp/evil.safetensors",
      "..\\evil.safetensors",
      "a/../../evil.safetensors",
    ]) {
      const hub = await fakeHub({ ...sharded({ w: shard }), [shard]: weights });
      await expect(resolveModel("owner/tiny", hub.options)).rejects.toThrow(
        /expected the plain name of a .safetensors file/,
      );
      expect(outside(hub)).toEqual([]);
    }
  });

  it("cannot name a blob, a commit or a size that is none", async () => {
    for (const change of [
      { oid: "../../evil" },
      { lfs: { oid: "../../../evil", size: 3, pointerSize: 1 } },
      { size: -1 },
      { oid: undefined },
      { path: 7 },
      { size: 1e300 },
    ]) {
      const hub = await fakeHub(tinyModel);
      hub.listing = (entries) =>
        entries.map((entry) => (entry["path"] === "config.json" ? { ...entry, ...change } : entry));
      expect((await refusal(resolveModel("owner/tiny", hub.options))).reason).toBe("hostile");
      expect(outside(hub)).toEqual([]);
    }
  });

  it("finds no link that leads out", async () => {
    const hub = await fakeHub(tinyModel);
    const elsewhere = join(hub.cacheDir, "elsewhere");
    const { symlinkSync } = await import("node:fs");
    mkdirSync(elsewhere);
    mkdirSync(repoFolder(hub));
    symlinkSync(elsewhere, join(repoFolder(hub), "blobs"));
    expect((await refusal(resolveModel("owner/tiny", hub.options))).reason).toBe("hostile");
    expect(readdirSync(elsewhere)).toEqual([]);
  });
});

describe("a refusal is one line with the way on", () => {
  const cases: readonly (readonly [HubErrorReason, NonNullable<FakeHub["refusal"]>, string | undefined, string])[] = [
    [
      "not-found",
      { status: 401, code: "RepoNotFound", message: "Invalid username or password." },
      undefined,
      "owner/tiny: expected a repository of this name on HUB, got 401 (Invalid username or password.). Check the " +
        "name; if it is private, set HF_TOKEN to a token that may read it, or run: hf auth login.",
    ],
    [
      "not-found",
      { status: 404, code: "RepoNotFound" },
      "hf_x",
      "Check the name; if it is private, the token in use has no access to it.",
    ],
    [
      "gated",
      { status: 401, code: "GatedRepo" },
      undefined,
      "owner/tiny: expected access to a gated repository, got 401. Accept its terms at HUB/owner/tiny and set " +
        "HF_TOKEN to a token of that account.",
    ],
    ["gated", { status: 403, code: "GatedRepo" }, "hf_x", "use a token of that account."],
    [
      "unauthorized",
      { status: 401 },
      "hf_x",
      "expected the Hub to take the token, got 401. It is wrong or has expired: set HF_TOKEN to another",
    ],
    ["rate-limited", { status: 429 }, undefined, "wait a few minutes, or set HF_TOKEN, which raises the limit."],
    ["server", { status: 500, message: "two\nlines" }, undefined, "got 500. The Hub has a problem: try again later."],
  ];
  for (const [reason, refused, token, line] of cases) {
    it(`${reason}, ${refused.status}${token === undefined ? "" : " with a token"}`, async () => {
      const hub = await fakeHub(tinyModel);
      const { message, ...rest } = refused;
      hub.refusal = message === undefined || message.includes("\n") ? rest : { ...rest, message };
      const error = await refusal(resolveModel("owner/tiny", { ...hub.options, token }));
      expect([error.reason, error.status]).toEqual([reason, refused.status]);
      expect(error.message).toContain(line.replaceAll("HUB", hub.options.endpoint));
    });
  }

  it("no such revision", async () => {
    const hub = await fakeHub(tinyModel);
    expect(await refusal(resolveModel("owner/tiny@v7", hub.options))).toMatchObject({
      reason: "revision-not-found",
      message: expect.stringContaining('owner/tiny@v7: expected a branch, tag or commit "v7", got 404.'),
    });
  });

  it("nobody answers", async () => {
    const hub = await fakeHub(tinyModel);
    await hub.stop();
    expect(await refusal(resolveModel("owner/tiny", hub.options))).toMatchObject({
      reason: "network",
      message: expect.stringMatching(
        /expected an answer of http:\/\/127\.0\.0\.1:\d+, got .*ECONNREFUSED.*HF_HUB_OFFLINE=1/,
      ),
    });
  });

  it("only pickles", async () => {
    const { "model.safetensors": left, ...rest } = tinyModel;
    const hub = await fakeHub(rest);
    expect(left).toBe(weights);
    await expect(resolveModel("owner/tiny", hub.options)).rejects.toThrow(
      /owner\/tiny: expected model\.safetensors, got only pytorch_model\.bin, a pickle, which can run code when it is read\. Convert it once in Python .*save_pretrained\('DIR'\)/,
    );
    expect(existsSync(join(repoFolder(hub), "blobs"))).toBe(false);
  });

  it("no room on the disk, before anything is downloaded", async () => {
    const hub = await fakeHub(tinyModel);
    hub.listing = (entries) =>
      entries.map((entry) =>
        entry["path"] === "model.safetensors"
          ? { ...entry, lfs: { oid: sha256(weights.bytes), size: 2 ** 52, pointerSize: 134 } }
          : entry,
      );
    await expect(resolveModel("owner/tiny", hub.options)).rejects.toThrow(
      /models--owner--tiny: expected \d{16} bytes of room for this download, got \d+\. Free some space, or put the cache on another disk: HF_HOME=\/path\./,
    );
    expect(served(hub)).toEqual([]);
  });

  it("no model at all", async () => {
    const hub = await fakeHub({ "README.md": { bytes: new Uint8Array(1) } });
    expect((await refusal(resolveModel("owner/tiny", hub.options))).message).toContain("expected config.json");
    await expect(resolveModel("a/b/c", hub.options)).rejects.toThrow('"a/b/c": expected the name of a model');
    expect(gitOid(new Uint8Array())).toBe("e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"); // git's id of an empty file
  });
});
