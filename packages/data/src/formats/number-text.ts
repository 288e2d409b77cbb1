/**
 * Numbers that are carried: from a row that was read to a row that is written, or to the name of a label. They keep
 * every digit.
 *
 * A number is an ordinary number where its text and the text of the source are the same (`5`, `0.25`). Otherwise it is
 * a NumberText, which holds the text of the source: `1234567890123456789`, `1.0`, `1e3`, `0.10`.
 */

/** A number whose text a double does not give back. */
export class NumberText {
  /** The number as its source writes it, a number of JSON. */
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }

  /** The nearest double. */
  get value(): number {
    return Number(this.text);
  }

  toString(): string {
    return this.text;
  }

  /** For `JSON.stringify`, which has no way to write a number's own text: the text as a string. See `rowJson`. */
  toJSON(): string {
    return this.text;
  }
}

/** A number by its text. */
export function numberOf(text: string): number | NumberText {
  const value = Number(text);
  return String(value) === text ? value : new NumberText(text);
}

/** An integer of any width. */
export const integerOf = (value: bigint): number | NumberText => numberOf(String(value));

/**
 * The number in a value: of a number, of a NumberText, or of a text that is a number. Undefined for all else, NaN and
 * infinities included.
 *
 * @example
 * finiteNumber("0.10")  // => 0.1
 * finiteNumber("")  // => undefined
 */
export function finiteNumber(value: unknown): number | undefined {
  const number =
    typeof value === "number"
      ? value
      : value instanceof NumberText || (typeof value === "string" && value.trim() !== "")
        ? Number(String(value))
        : NaN;
  return Number.isFinite(number) ? number : undefined;
}

/**
 * A double as Python and pandas write it, which is the text that CSV and JSON of the same table hold: `1.0`, `0.1`,
 * `1e-07`.
 */
export function doubleOf(value: number): number | NumberText {
  if (!Number.isFinite(value)) return value;
  const [digits = "", exponent = ""] = value.toExponential().split("e");
  const power = Number(exponent);
  if (value !== 0 && (power < -4 || power >= 16))
    return numberOf(`${digits}e${power < 0 ? "-" : "+"}${String(Math.abs(power)).padStart(2, "0")}`);
  const plain = Object.is(value, -0) ? "-0" : String(value);
  return numberOf(Number.isInteger(value) ? `${plain}.0` : plain);
}

/** A float of 32 bits: the double with the fewest digits that is this float. 0.1, and not 0.10000000149011612. */
export const floatOf = (value: number): number | NumberText =>
  doubleOf(shortest(value, 9, (each) => Math.fround(each) === value));

/** A float of 16 bits, as `floatOf`. */
export function halfOf(value: number): number | NumberText {
  // Half the step to the next float. Below a power of two the step is half as large; below 2^-14 it is constant.
  const size = Math.abs(value);
  const power = size === 0 ? -14 : Math.max(-14, Math.floor(Math.log2(size)));
  const half = 2 ** (power - 11);
  const below = size === 2 ** power && power > -14 ? half / 2 : half;
  const isSame = (each: number): boolean => Math.abs(each - value) < (Math.abs(each) < size ? below : half);
  return doubleOf(shortest(value, 5, isSame));
}

function shortest(value: number, digits: number, isSame: (each: number) => boolean): number {
  if (!Number.isFinite(value)) return value;
  for (let count = 1; count < digits; count++) {
    const each = Number(value.toPrecision(count));
    if (isSame(each)) return each;
  }
  return Number(value.toPrecision(digits));
}
