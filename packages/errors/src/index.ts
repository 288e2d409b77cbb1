/**
 * The base error of every cloze package.
 *
 * A class is recognised by a marker symbol, not by `instanceof`, so that two copies of a package in one program still
 * understand each other. Three kinds only: the user's mistake (exit code 2), something that is not available here, our
 * bug.
 */

const marker: unique symbol = Symbol.for("cloze.error");

export type ErrorKind = "user" | "unsupported" | "internal";

export interface ErrorOptions {
  readonly cause?: unknown;
}

/**
 * Base class: a kind, a code that tests and programs can compare, and a message of the form `where: expected, got. Next
 * step.`
 */
export class ClozeError extends Error {
  readonly kind: ErrorKind;
  readonly code: string;

  constructor(kind: ErrorKind, code: string, message: string, options: ErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    Object.defineProperty(this, marker, { value: true });
    this.name = code;
    this.kind = kind;
    this.code = code;
  }

  static isInstance(error: unknown): error is ClozeError {
    return typeof error === "object" && error !== null && (error as { readonly [marker]?: unknown })[marker] === true;
  }
}

/** A mistake in what a person typed or passed: a flag, a config key, an argument. */
export class ConfigError extends ClozeError {
  constructor(message: string, options: ErrorOptions = {}) {
    super("user", "ConfigError", message, options);
  }

  static override isInstance(error: unknown): error is ConfigError {
    return ClozeError.isInstance(error) && error.code === "ConfigError";
  }
}

/** A file whose content is not what its format promises. Names the file and the place in it. */
export class FormatError extends ClozeError {
  readonly file: string;
  readonly place: string;

  constructor(file: string, place: string, message: string, options: ErrorOptions = {}) {
    super("user", "FormatError", `${file}${place === "" ? "" : `, ${place}`}: ${message}`, options);
    this.file = file;
    this.place = place;
  }

  static override isInstance(error: unknown): error is FormatError {
    return ClozeError.isInstance(error) && error.code === "FormatError";
  }
}

/** Something this machine, backend or version cannot do; says what would. */
export class UnsupportedError extends ClozeError {
  constructor(message: string, options: ErrorOptions = {}) {
    super("unsupported", "UnsupportedError", message, options);
  }

  static override isInstance(error: unknown): error is UnsupportedError {
    return ClozeError.isInstance(error) && error.code === "UnsupportedError";
  }
}

/** Throws our own-bug error when `condition` is false. */
export function invariant(condition: unknown, message: string): asserts condition {
  if (!condition)
    throw new ClozeError(
      "internal",
      "InternalError",
      `internal: ${message}. This is a bug in cloze: please report it.`,
    );
}
