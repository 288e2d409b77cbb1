import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { hubSettings } from "./settings.ts";

const nowhere = { HF_TOKEN_PATH: "/nonexistent/token" };

test("the cache is where Python looks for it", () => {
  const cacheOf = (env: Record<string, string>): string => hubSettings({ ...nowhere, ...env }).cacheDir;
  expect(cacheOf({})).toBe(join(homedir(), ".cache/huggingface/hub"));
  expect(cacheOf({ XDG_CACHE_HOME: "/x" })).toBe("/x/huggingface/hub");
  expect(cacheOf({ XDG_CACHE_HOME: "/x", HF_HOME: "/h" })).toBe("/h/hub");
  expect(cacheOf({ HF_HOME: "~/h" })).toBe(join(homedir(), "h/hub"));
  expect(cacheOf({ HF_HOME: "/h", HUGGINGFACE_HUB_CACHE: "/old" })).toBe("/old");
  expect(cacheOf({ HF_HOME: "/h", HUGGINGFACE_HUB_CACHE: "/old", HF_HUB_CACHE: "/new" })).toBe("/new");
});

test("endpoint and offline", () => {
  expect(hubSettings(nowhere)).toMatchObject({ endpoint: "https://huggingface.co", offline: false });
  expect(hubSettings({ ...nowhere, HF_ENDPOINT: "https://mirror.example/hf//" }).endpoint).toBe(
    "https://mirror.example/hf",
  );
  for (const HF_ENDPOINT of ["mirror.example", "file:///etc"])
    expect(() => hubSettings({ ...nowhere, HF_ENDPOINT })).toThrow(
      `HF_ENDPOINT: expected an address such as https://huggingface.co, got "${HF_ENDPOINT}"`,
    );
  for (const value of ["1", "on", "YES", "true"])
    expect(hubSettings({ ...nowhere, HF_HUB_OFFLINE: value }).offline).toBe(true);
  for (const value of ["0", "", "no"]) expect(hubSettings({ ...nowhere, HF_HUB_OFFLINE: value }).offline).toBe(false);
  expect(hubSettings({ ...nowhere, TRANSFORMERS_OFFLINE: "1" }).offline).toBe(true);
});

test("the token: a variable, else the file of a login, and neither where that is forbidden", () => {
  const home = mkdtempSync(join(tmpdir(), "cloze-hub-"));
  onTestFinished(() => rmSync(home, { recursive: true }));
  expect(hubSettings({ HF_HOME: home }).token).toBeUndefined();
  writeFileSync(join(home, "token"), "hf_file\n");
  expect(hubSettings({ HF_HOME: home }).token).toBe("hf_file");
  expect(hubSettings({ HF_HOME: home, HUGGING_FACE_HUB_TOKEN: "hf_old" }).token).toBe("hf_old");
  expect(hubSettings({ HF_HOME: home, HUGGING_FACE_HUB_TOKEN: "hf_old", HF_TOKEN: " hf_new\r\n" }).token).toBe(
    "hf_new",
  );
  expect(hubSettings({ HF_HOME: home, HF_TOKEN: "hf_new", HF_HUB_DISABLE_IMPLICIT_TOKEN: "1" }).token).toBeUndefined();
});
