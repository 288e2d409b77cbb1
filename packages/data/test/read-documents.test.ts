import { ConfigError, FormatError, UnsupportedError } from "@cloze/errors";
import { createServer, type IncomingMessage } from "node:http";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { parquetWriteBuffer } from "hyparquet-writer";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { httpFile, hubSettings, openParquet, parseHubDataset, type Fetch, type HubSettings } from "../src/index.ts";
import {
  formatOfName,
  readDocuments,
  readRows,
  resolveSources,
  type DataFormat,
  type DataSource,
  type ReadDocumentsOptions,
} from "../src/node.ts";
import { scratch } from "./files.ts";

const { folder, write } = scratch();

async function source(name: string, format?: DataFormat, hub?: HubSettings): Promise<DataSource> {
  const [only] = await resolveSources([name], {
    ...(format === undefined ? {} : { format }),
    ...(hub === undefined ? {} : { hub }),
  });
  return only as DataSource;
}

async function read(
  from: DataSource | string,
  options: ReadDocumentsOptions = {},
): Promise<{ texts: (readonly string[])[]; report: object }> {
  const reader = readDocuments(typeof from === "string" ? await source(from) : from, options);
  const texts: (readonly string[])[] = [];
  for await (const { sentences } of reader.documents()) texts.push(sentences);
  return { texts, report: reader.report };
}

const WORDS = ["a", "protein", "text", "is", "été", "蛋白", "😀", "of", "words"];
const sentence = (i: number): string =>
  Array.from({ length: 3 + (i % 9) }, (_, k) => WORDS[(i * 7 + k * k) % WORDS.length]).join(" ");
const corpus: readonly (readonly string[])[] = Array.from({ length: 500 }, (_, d) =>
  Array.from({ length: 1 + (d % 4) }, (_, s) => `${sentence(d * 5 + s)}.`),
);

const parquet = (columns: Parameters<typeof parquetWriteBuffer>[0]["columnData"], rowGroupSize = 100): Uint8Array =>
  new Uint8Array(parquetWriteBuffer({ columnData: columns, rowGroupSize }));
const joined = corpus.map((sentences) => sentences.join("\n"));
const quoted = (field: string): string => `"${field.replaceAll('"', '""')}"`;

describe("readDocuments", () => {
  it("gives the same documents from every format, plain and gzip", async () => {
    const files: Record<string, string | Uint8Array> = {
      "c.txt": corpus.map((sentences) => `${sentences.join("\n")}\n`).join("\n"),
      "c.jsonl": joined.map((text, i) => JSON.stringify({ id: i, text })).join("\n"),
      "list.ndjson": corpus.map((text, i) => JSON.stringify({ id: i, text })).join("\r\n"),
      "c.csv": `id,text\n${joined.map((text, i) => `${i},${quoted(text)}\n`).join("")}`,
      "c.tsv": `text\tid\r\n${joined.map((text, i) => `${quoted(text)}\t${i}\r\n`).join("")}`,
      "c.parquet": parquet([
        { name: "id", data: joined.map((_, i) => i) },
        { name: "text", data: joined },
      ]),
    };
    for (const [name, content] of Object.entries(files)) {
      const plain = await read(write(name, content));
      expect(plain.texts, name).toEqual(corpus);
      expect(plain.report).toMatchObject({ records: 500, empty: 0, sentences: 1250, invalid: 0 });
      if (!name.endsWith(".parquet"))
        expect((await read(write(`${name}.gz`, gzipSync(content)))).texts, name).toEqual(corpus);
    }
  });

  it("reads each time anew, and takes the field or column that is named", async () => {
    const reader = readDocuments(await source(write("two.jsonl", '{"a": "x", "b": ["y", " z "], "c": null}\n')), {
      field: "b",
    });
    for (let pass = 0; pass < 2; pass++)
      for await (const { sentences } of reader.documents()) expect(sentences).toEqual(["y", "z"]);
    expect(reader.report.records).toBe(1);
    expect(await read(join(folder, "two.jsonl"), { field: "c" })).toMatchObject({
      texts: [[]],
      report: { records: 1, empty: 1 },
    });
    const table = write("plain.tsv", "good film\t1\nbad film\t0\n");
    expect((await read(table, { header: false, field: "1" })).texts).toEqual([["good film"], ["bad film"]]);
    expect((await read(write("named.csv", "n,review\n1,good\n"), { field: "2" })).texts).toEqual([["good"]]);
    expect((await read(write("prot.csv", "name,sequence\na,MKT\n"))).texts).toEqual([["MKT"]]);
    expect((await read(write("p.fasta", ">a\nMK\nT\n>b\n"))).texts).toEqual([["MKT"], []]);
  });

  it("holds every format to the limit of a record, 64 MiB by default", async () => {
    const long = "x".repeat(50);
    const rows = {
      "long.txt": `${long}\n`,
      "long.jsonl": `${JSON.stringify({ text: long })}\n`,
      "long.csv": `text\n${long}\n`,
      "long.parquet": parquet([{ name: "text", data: ["short", long] }]),
      "list.parquet": parquet([{ name: "text", data: [[long.slice(25), long.slice(25)]] }]),
      "long.fasta": `>a\n${long}\n`,
    };
    for (const [name, content] of Object.entries(rows)) {
      const file = write(name, content);
      await expect(read(file, { maxRecord: 49 }), name).rejects.toThrow(/long|list.* at most 49 .* got (more|50)/);
      expect((await read(file, { maxRecord: 70 })).texts.length, name).toBeGreaterThan(0);
    }
    const large = parquet([{ name: "text", data: ["x".repeat(2 ** 26 + 1)] }]);
    await expect(read(write("large.parquet", large))).rejects.toThrow(
      /large\.parquet, row 1: expected a text of at most 67108864 characters in "text", got 67108865\./,
    );
  });

  it("names FASTQ, with the way to FASTA", async () => {
    const reads = "@r1 1\nACGTN\n+\nIIIII\n@r2\nAC\n+\nII\n";
    for (const name of ["reads.fastq", "reads.fq", "reads"])
      await expect(source(write(name, reads)), name).rejects.toThrow(/looks like FASTQ; convert it to FASTA/);
    await expect(source(write("reads.fastq.gz", gzipSync(reads)))).rejects.toThrow(/looks like FASTQ/);
    await expect(read(write("reads.fasta", reads))).rejects.toThrow(/This looks like FASTQ; convert it to FASTA/);
    await expect(source(write("at.dat", "@someone said\nthat there is text\n"))).rejects.toThrow(/Name its format/);
  });

  it("replaces invalid UTF-8 and counts it", async () => {
    const { texts, report } = await read(write("latin1.txt", Buffer.from("caf\xe9\nna\xefve\n", "latin1")));
    expect(texts).toEqual([["caf\ufffd", "na\ufffdve"]]);
    expect(report).toMatchObject({ invalid: 2 });
  });

  it.each<[string, string, string | Uint8Array, RegExp, ReadDocumentsOptions?]>([
    [
      "a CSV with a broken quote",
      "b.csv",
      'text,y\nfine,1\n"never closed,0\nmore,1\n',
      /b\.csv, line 3: expected the quote that opens here to be closed/,
    ],
    ["JSONL with a broken line", "b.jsonl", '{"text":"a"}\n{"text":"b"\n', /b\.jsonl, line 2: expected a JSON object/],
    [
      "an object without the field",
      "k.jsonl",
      '{"text":"a"}\n{"body":"b"}\n',
      /k\.jsonl, line 2: expected a field "text" with the text, got "body"\. Name the field/,
    ],
    [
      "a table without text",
      "k.csv",
      "a,b\n1,2\n",
      /k\.csv, line 2: expected a field "text" or "sequence" with the text, got "a", "b"/,
    ],
    [
      "a field of numbers",
      "n.jsonl",
      '{"text": 3}\n',
      /n\.jsonl, line 1: expected a text or a list of texts in "text", got a number/,
    ],
    [
      "a list of numbers",
      "l.jsonl",
      '{"text": ["a", 3]}\n',
      /l\.jsonl, line 1: expected texts in the list "text", got a number/,
    ],
    [
      "gzip that is cut off",
      "cut.txt.gz",
      gzipSync(
        Buffer.from(Array.from({ length: 5000 }, (_, i) => `line ${i} ${(i * 2654435761) % 997}\n`).join("")),
      ).subarray(0, 9000),
      /cut\.txt\.gz, after \d+ bytes of text: expected the end of the gzip data, got the end of the file: it is cut off/,
    ],
    [
      "Parquet that is cut off",
      "cut.parquet",
      parquet([{ name: "text", data: joined }]).subarray(0, 3000),
      /cut\.parquet, footer: expected Parquet, got bytes that are not .*Is the file whole/,
    ],
    ["nothing as Parquet", "empty.parquet", "", /empty\.parquet: expected a Parquet file, got 0 bytes/],
    [
      "text as Parquet",
      "text.parquet",
      "this is some text and no Parquet file",
      /text\.parquet, footer: expected Parquet/,
    ],
    [
      "Parquet with a damaged page",
      "bad.parquet",
      (() => {
        const bytes = parquet([{ name: "text", data: joined }]);
        return bytes.fill(0xff, 4, 200);
      })(),
      /bad\.parquet, row group 1: expected Parquet/,
    ],
    [
      "Parquet without the column",
      "col.parquet",
      parquet([{ name: "body", data: ["x"] }]),
      /col\.parquet: expected a field "text" or "sequence" with the text, got "body"/,
    ],
    [
      "a long line",
      "long.txt",
      `${"x".repeat(3000)}\n`,
      /long\.txt, line 1: expected a line of at most 2000 bytes/,
      { maxRecord: 2000 },
    ],
  ])("refuses %s", async (_, name, content, message, options) => {
    const path = write(name, content);
    const reading = read(path, options);
    await expect(reading).rejects.toThrow(message);
    await expect(reading).rejects.toSatisfy(FormatError.isInstance);
  });

  it("takes a single line of 50 MB, and gives nothing for an empty file", async () => {
    const { texts } = await read(write("wide.txt", Buffer.alloc(50e6, "word ")));
    expect(texts.map((sentences) => sentences.map((one) => one.length))).toEqual([[50e6 - 1]]);
    expect(await read(write("none.txt", ""))).toMatchObject({ texts: [], report: { records: 0, bytes: 0 } });
    expect((await read(write("none.csv", ""))).texts).toEqual([]);
    expect((await read(write("none.jsonl", "\n"))).texts).toEqual([]);
  });
});

describe("resolveSources", () => {
  it("tells the format by the ending, or by what is unmistakable", async () => {
    expect(["a.TXT.gz", "b.faa", "c.pq", "d.json", "e"].map(formatOfName)).toEqual([
      "text",
      "fasta",
      "parquet",
      undefined,
      undefined,
    ]);
    expect((await source(write("uniprot", "\n>a\nMK\n"))).format).toBe("fasta");
    expect((await source(write("table", parquet([{ name: "text", data: ["x"] }])))).format).toBe("parquet");
    expect((await source(write("notes", "words\n"), "text")).format).toBe("text");
  });

  it("refuses what it cannot tell or find", async () => {
    await expect(source(write("what.dat", "words\n"))).rejects.toThrow(
      /what\.dat: expected a name that ends in \.fasta, \.txt, .*Name its format \(--format\): fasta, text/,
    );
    await expect(source(folder)).rejects.toThrow(/expected a file, got a folder/);
    await expect(source("none.txt")).rejects.toThrow("none.txt: expected a file, found nothing there. Check the path.");
    await expect(source("hf://models/a/b")).rejects.toThrow(
      "hf://models/a/b: expected hf://datasets/OWNER/NAME[:CONFIG[:SPLIT]], got another form.",
    );
    await expect(source("no/such.jsonl")).rejects.toThrow("no/such.jsonl: expected a file, found nothing there");
    await expect(source("http://127.0.0.1:9/a.txt")).rejects.toThrow(
      /expected Parquet, which is read in parts, got text/,
    );
  });
});

describe("over HTTP", () => {
  // 40 row groups of random letters, which no codec makes smaller. The tests read one of two columns.
  let state = 1;
  const noise = Array.from({ length: 4000 }, () =>
    Array.from({ length: 60 }, () =>
      String.fromCharCode(97 + (((state = (Math.imul(state, 1664525) + 1013904223) >>> 0) % 65_521) % 26)),
    ).join(""),
  );
  const file = parquet(
    [
      { name: "other", data: noise.toReversed() },
      { name: "text", data: noise },
    ],
    100,
  );
  const seen: { path: string; range: string | undefined; authorization: string | undefined }[] = [];
  let sent = 0;
  let endpoint = "";
  let failures = 0;
  const entry = (path: string): object => ({ type: "file", path, size: file.length, oid: `oid-${path}` });
  const trees: Record<string, readonly object[]> = {
    "/api/datasets/me/one": [
      entry("default/train/0001.parquet"),
      entry("default/train/0000.parquet"),
      entry("default/test/0000.parquet"),
      { type: "directory", path: "default", size: 0, oid: "d" },
    ],
    "/api/datasets/me/many": [entry("en/train/0000.parquet"), entry("de/partial-train/0000.parquet")],
    "/api/datasets/me/none": [{ type: "file", path: "README.md", size: 3, oid: "r" }],
  };
  const server = createServer((request: IncomingMessage, response) => {
    const { pathname, searchParams } = new URL(request.url ?? "/", "http://localhost");
    const { range, authorization } = request.headers;
    seen.push({ path: pathname, range, authorization });
    const [, dataset] = /^(.+)\/tree\/refs%2Fconvert%2Fparquet$/.exec(pathname) ?? [];
    if (dataset !== undefined) {
      const entries = trees[dataset];
      if (entries === undefined)
        return void response
          .writeHead(dataset.includes("private") && authorization === undefined ? 401 : 404)
          .end("{}");
      const at = Number(searchParams.get("cursor") ?? 0);
      const more = at + 2 < entries.length;
      return void response
        .writeHead(200, {
          "content-type": "application/json",
          ...(more ? { link: `<${endpoint}${pathname}?recursive=true&cursor=${at + 2}>; rel="next"` } : {}),
        })
        .end(JSON.stringify(entries.slice(at, at + 2)));
    }
    if (pathname === "/busy.parquet" && failures-- > 0) return void response.writeHead(503).end();
    if (pathname === "/short.parquet")
      return void response.writeHead(206, { "content-range": `bytes 0-0/${file.length}` }).end("x");
    if (pathname.startsWith("/datasets/")) return void response.writeHead(302, { location: `/cdn${pathname}` }).end();
    if (!pathname.endsWith(".parquet") || pathname === "/gone.parquet") return void response.writeHead(404).end();
    const [, from, until] = /^bytes=(\d+)-(\d+)$/.exec(pathname === "/whole.parquet" ? "" : (range ?? "")) ?? [];
    const body = from === undefined ? file : file.subarray(Number(from), Number(until) + 1);
    sent += body.length;
    response
      .writeHead(
        from === undefined ? 200 : 206,
        from === undefined ? {} : { "content-range": `bytes ${from}-${until}/${file.length}` },
      )
      .end(body);
  });
  beforeAll(async () => {
    await new Promise<void>((resolve) => {
      server.listen(0, "127.0.0.1", resolve);
    });
    endpoint = `http://127.0.0.1:${(server.address() as { readonly port: number }).port}`;
  });
  afterAll(() => {
    server.close();
  });

  it("fetches the footer and the column, and no more", async () => {
    sent = 0;
    const from = await source(`${endpoint}/a.parquet`);
    const opened = sent;
    expect(from).toMatchObject({ format: "parquet", bytes: file.length });
    expect(opened).toBe(1);
    const arrived: number[] = [];
    const { texts } = await read(from, { onRead: (bytes) => arrived.push(bytes) });
    expect(texts.map(([text]) => text)).toEqual(noise);
    expect(arrived.at(-1)).toBe(sent - opened);
    const column = Buffer.byteLength(noise.join("")) + 4 * noise.length;
    expect(file.length).toBeGreaterThan(1.9 * column);
    // The footer is fetched together with up to 512 KiB before it. Beyond that, only the column is fetched.
    expect(sent).toBeLessThan(1.2 * column + 2 ** 19);
  });

  it("stops fetching where the reader stops", async () => {
    sent = 0;
    for await (const batch of readRows(await source(`${endpoint}/a.parquet`), { columns: ["text"] })) {
      expect(batch).toHaveLength(100);
      break;
    }
    expect(sent).toBeLessThan(2 ** 19 + 20_000);
  });

  it("tries again, and says what a server lacks", async () => {
    failures = 2;
    expect((await httpFile(`${endpoint}/busy.parquet`)).byteLength).toBe(file.length);
    failures = 9;
    await expect(httpFile(`${endpoint}/busy.parquet`)).rejects.toThrow(
      /busy\.parquet: expected an answer, got HTTP 503, 3 times/,
    );
    await expect(httpFile(`${endpoint}/whole.parquet`)).rejects.toThrow(/expected a server that gives parts of a file/);
    await expect(httpFile(`${endpoint}/gone.parquet`)).rejects.toSatisfy(ConfigError.isInstance);
    await expect((await httpFile(`${endpoint}/short.parquet`)).slice(0, 10)).rejects.toThrow(
      /byte 0: expected 10 bytes, got 1/,
    );
    await expect(httpFile("http://127.0.0.1:1/a.parquet")).rejects.toSatisfy(UnsupportedError.isInstance);
  });

  it("reads data sets of the Hub by name, over pages and redirects, with the token", async () => {
    const hub = hubSettings({ HF_ENDPOINT: `${endpoint}/`, HF_TOKEN: "hf_x" });
    const sources = await resolveSources(["hf://datasets/me/one"], { hub });
    expect(sources.map(({ name, bytes, modified }) => [name, bytes, modified])).toEqual([
      ["hf://datasets/me/one/default/train/0000.parquet", file.length, "oid-default/train/0000.parquet"],
      ["hf://datasets/me/one/default/train/0001.parquet", file.length, "oid-default/train/0001.parquet"],
    ]);
    seen.length = 0;
    expect((await read(sources[0] as DataSource)).texts.map(([text]) => text)).toEqual(noise);
    expect(new Set(seen.map(({ authorization }) => authorization))).toEqual(new Set(["Bearer hf_x"]));
    expect(
      seen.every(({ range, path }) => range?.startsWith("bytes=") && path.endsWith("/default/train/0000.parquet")),
    ).toBe(true);
    expect((await resolveSources(["me/one:default:test"], { hub })).map(({ name }) => name)).toEqual([
      "hf://datasets/me/one/default/test/0000.parquet",
    ]);
    expect((await resolveSources(["me/many:de"], { hub })).map(({ name }) => name)).toEqual([
      "hf://datasets/me/many/de/partial-train/0000.parquet",
    ]);
  });

  it.each([
    ["me/many", /me\/many: expected a config to be named, got en, de\. Write me\/many:CONFIG/],
    ["me/one:fr", /me\/one: expected the config "fr", got default/],
    ["me/one:default:dev", /me\/one:default: expected the split "dev", got train, test\. Write me\/one:default:SPLIT/],
    ["me/none", /expected Parquet files on the branch refs\/convert\/parquet, got none/],
    ["me/absent", /got HTTP 404: nothing there\. Check the name/],
    ["me/private", /got HTTP 401\..*needs HF_TOKEN/],
  ])("of %s says what there is", async (name, message) => {
    await expect(resolveSources([name], { hub: { endpoint } })).rejects.toThrow(message);
  });

  it("asks nothing when offline", async () => {
    const fetch: Fetch = () => {
      throw new RangeError("asked");
    };
    const hub = { ...hubSettings({ HF_HUB_OFFLINE: "1" }), fetch };
    await expect(resolveSources(["hf://datasets/me/one"], { hub })).rejects.toThrow(
      /expected the network, got HF_HUB_OFFLINE/,
    );
    await expect(resolveSources([`${endpoint}/a.parquet`], { hub })).rejects.toThrow(/got HF_HUB_OFFLINE/);
  });

  it("knows a name from a path", () => {
    expect(parseHubDataset("hf://datasets/squad")).toEqual({ dataset: "squad" });
    expect(parseHubDataset("a/b:c")).toEqual({ dataset: "a/b", config: "c" });
    expect(parseHubDataset("allenai/c4-v1.1")).toEqual({ dataset: "allenai/c4-v1.1" });
    expect(parseHubDataset("hf://datasets/a/b.zip")).toEqual({ dataset: "a/b.zip" });
    for (const path of [
      "squad",
      "./a/b",
      "a/b/c",
      "/a/b",
      "../a",
      "a/b:c:d:e",
      "hf://a/b",
      "C:\\a\\b",
      "a/b.zip",
      "a/b.fastq:c",
      "a/B.FASTA",
    ])
      expect(parseHubDataset(path), path).toBeUndefined();
  });
});

describe("openParquet", () => {
  it("reads from any bytes, lists too", async () => {
    const bytes = parquet(
      [
        { name: "id", data: [1, 2, 3] },
        { name: "text", data: [["a", "b"], [], ["c"]], type: "JSON" },
      ],
      2,
    );
    const { buffer } = bytes.slice();
    const file = await openParquet(
      { byteLength: bytes.length, slice: async (start, end) => buffer.slice(start, end) },
      "p",
    );
    expect([file.columns, file.rowCount]).toEqual([["id", "text"], 3]);
    const rows = [];
    for await (const batch of file.rows(["text"])) rows.push(batch);
    expect(rows).toEqual([
      [
        { values: { text: ["a", "b"] }, place: 1 },
        { values: { text: [] }, place: 2 },
      ],
      [{ values: { text: ["c"] }, place: 3 }],
    ]);
    await expect(file.rows(["body"]).next()).rejects.toThrow('p: expected a column "body", got "id", "text".');
  });
});
