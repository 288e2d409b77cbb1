import { expect, test } from "vitest";
import { isRevision, looksLikeRepo, parseRepoName } from "./repo.ts";

test("names of the Hub", () => {
  expect(parseRepoName("bert-base-uncased")).toEqual({ name: "bert-base-uncased", revision: "main" });
  expect(parseRepoName("facebook/esm2_t6_8M_UR50D")).toEqual({ name: "facebook/esm2_t6_8M_UR50D", revision: "main" });
  expect(parseRepoName("a/b@refs/pr/1")).toEqual({ name: "a/b", revision: "refs/pr/1" });
  expect(parseRepoName("sentence-transformers/all-MiniLM-L6-v2@v1.0")).toEqual({
    name: "sentence-transformers/all-MiniLM-L6-v2",
    revision: "v1.0",
  });
});

test("what looks like a name of the Hub", () => {
  const yes = ["bert-base-uncased", "xlm-roberta-base", "facebook/esm2_t6_8M_UR50D", "mine@main", "a/b@refs/pr/1"];
  expect(yes.filter((text) => !looksLikeRepo(text))).toEqual([]);
  const no = ["mine", "bert-base", "esm2-8m", "BERT-base-uncased", "./bert-base-uncased", "a/b/c", "~/a", "C:\\a", ""];
  expect(no.filter(looksLikeRepo)).toEqual([]);
});

test("what is a path, or would leave a folder, is no name", () => {
  const no = [
    "",
    ".",
    "..",
    "./a",
    "../a",
    "/a",
    "a/",
    "/a/b",
    "a//b",
    "a/b/c",
    "~/a",
    "a\\b",
    "C:\\a",
    "C:a",
    "a b",
    "a--b",
    "-a",
    "a-",
    ".a",
    "a.",
    "a..b",
    "a/..",
    "a\0b",
    "a\nb",
    "config.json",
    "x/model.safetensors",
    "a.git",
    "a@",
    "a@../b",
    "a@b/../c",
    "a@/b",
    "a@b/",
    "a@b c",
    "a@b\\c",
    "a@.b",
    "a@b.lock",
    "a@x/.git",
    "é/a",
    `a/${"b".repeat(97)}`,
  ];
  expect(no.filter((text) => parseRepoName(text) !== undefined)).toEqual([]);
  expect(["", "..", "a..b", "a/./b", "x".repeat(201)].filter(isRevision)).toEqual([]);
});
