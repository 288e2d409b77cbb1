/**
 * The base error of every cloze package.
 *
 * A marker symbol identifies a class, not `instanceof`, so that two copies of a package in one program still understand
 * each other. There are three kinds only: the user's mistake (exit code 2), something unavailable here, and a bug in
 * cloze.
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

/** A mistake in the input of a person: a flag, a config key, an argument. */
export class ConfigError extends ClozeError {
  constructor(message: string, options: ErrorOptions = {}) {
    super("user", "ConfigError", message, options);
  }

  static override isInstance(error: unknown): error is ConfigError {
    return ClozeError.isInstance(error) && error.code === "ConfigError";
  }
}

/** A file whose content breaks its format. Names the file and the place in the file. */
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

/** A thing that this machine, backend or version cannot do. The message says what would work. */
export class UnsupportedError extends ClozeError {
  constructor(message: string, options: ErrorOptions = {}) {
    super("unsupported", "UnsupportedError", message, options);
  }

  static override isInstance(error: unknown): error is UnsupportedError {
    return ClozeError.isInstance(error) && error.code === "UnsupportedError";
  }
}

/** Throws an internal error (a bug in cloze) when `condition` is false. */
export function invariant(condition: unknown, message: string): asserts condition {
  if (!condition)
    throw new ClozeError(
      "internal",
      "InternalError",
      `internal: ${message}. This is a bug in cloze: please report it.`,
    );
}
