// The checks that readme.ts inserts into README examples.
import { format, inspect } from "node:util";
import { expect } from "vitest";

type Expected = (() => unknown) | undefined;

/** Turns typed arrays into plain arrays, at any depth, so that an Int32Array can equal `// => [1, 2]`. */
function plain(value: unknown): unknown {
  if (ArrayBuffer.isView(value) && !(value instanceof DataView)) return Array.from(value as Uint8Array);
  if (Array.isArray(value)) return value.map(plain);
  if (value !== null && typeof value === "object" && Object.getPrototypeOf(value) === Object.prototype) {
    return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, plain(each)]));
  }
  return value;
}

/** The value of the expected expression. Undefined where there is none or it throws: the caller then compares text. */
function evaluated(expected: Expected): { readonly value: unknown } | undefined {
  try {
    return expected === undefined ? undefined : { value: expected() };
  } catch {
    return undefined;
  }
}

export const README = {
  equals(actual: unknown, said: string, expected: Expected): void {
    const evaluation = evaluated(expected);
    if (evaluation === undefined) expect(typeof actual === "string" ? actual : inspect(actual)).toBe(said);
    else expect(plain(actual), `// => ${said}`).toEqual(plain(evaluation.value));
  },
  prints(actual: readonly unknown[], said: string, expected: Expected): void {
    const printed = format(...actual);
    if (printed === said) return;
    const evaluation = actual.length === 1 ? evaluated(expected) : undefined;
    if (evaluation === undefined) expect(printed).toBe(said);
    else expect(plain(actual[0]), `// => ${said}`).toEqual(plain(evaluation.value));
  },
  async throws(run: () => Promise<unknown>, said: string): Promise<void> {
    await expect(run(), `// => throws ${said}`).rejects.toThrow(said);
  },
};
