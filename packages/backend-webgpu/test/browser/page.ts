/**
 * The page's side of the browser tests: the backend, and the suite's checks by name. Its driver is in `chromium.ts`.
 */
import type { Backend } from "@cloze/backend";
import { allChecks, judge, type Check } from "@cloze/backend-conformance";
import { backend } from "../../src/index.ts";

export interface Verdict {
  /** Why it did not run, where it did not. */
  readonly skipped?: string;
  /** What was wrong, where something was. */
  readonly error?: string;
  readonly ms: number;
}

const checks = new Map<string, Check>(allChecks().map((check) => [check.name, check]));
let opened: Promise<Backend> | undefined;
// allow module state: this is a page, and its one device lives as long as it does
const get = (): Promise<Backend> => (opened ??= Promise.resolve(backend()));

async function run(name: string): Promise<Verdict> {
  const check = checks.get(name);
  const began = performance.now();
  if (check === undefined) return { error: `the page knows no check "${name}"`, ms: 0 };
  try {
    const skipped = await judge(check, await get(), []);
    return { ...(skipped !== undefined && { skipped }), ms: performance.now() - began };
  } catch (error) {
    return {
      error: error instanceof Error ? `${error.message}\n${error.stack}` : String(error),
      ms: performance.now() - began,
    };
  }
}

/** What the driver calls by name. */
export interface PageSide {
  readonly device: () => Promise<string>;
  readonly run: (name: string) => Promise<Verdict>;
}

const side: PageSide = { device: async () => (await get()).capabilities.device, run };
Object.assign(globalThis, { cloze: side });
