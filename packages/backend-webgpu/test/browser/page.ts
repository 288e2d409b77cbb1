/** The page of the browser tests, with the backend and the suite's checks by name. `chromium.ts` drives the page. */
import type { Backend } from "@cloze/backend";
import { allChecks, judge, type Check } from "@cloze/backend-conformance";
import { backend } from "../../src/index.ts";

export interface Verdict {
  /** The reason, where the check was skipped. */
  readonly skipped?: string;
  /** The error, where the check failed. */
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

/** The functions that the driver calls by name. */
export interface PageSide {
  readonly device: () => Promise<string>;
  readonly run: (name: string) => Promise<Verdict>;
}

const side: PageSide = { device: async () => (await get()).capabilities.device, run };
Object.assign(globalThis, { cloze: side });
