/**
 * The elementwise ops as WGSL expressions, for one value or for four lanes, and the functions that they call.
 *
 * Floats are computed in f32 for every stored dtype. This file also settles what WGSL leaves open: max and min return
 * NaN if one operand is NaN, tanh does not overflow, sin and cos reduce large angles themselves (Vulkan guarantees no
 * accuracy beyond pi), and infinities are not literals.
 */
import { UnsupportedError } from "@cloze/errors";
import { groups, isFloat, isOp, showType, type DType, type Node, type Op, type Tensor } from "@cloze/graph";

export type Lanes = 1 | 4;

const scalars: { readonly [D in DType]: string } = {
  f32: "f32",
  f16: "f32",
  bf16: "f32",
  i32: "i32",
  u32: "u32",
  bool: "bool",
};

/** The WGSL type in which kernels compute a value of this dtype. */
export const wgslType = (dtype: DType, lanes: Lanes): string =>
  lanes === 1 ? scalars[dtype] : `vec4<${scalars[dtype]}>`;

/**
 * A WGSL literal of the dtype. Infinities and NaN are made from bits in a private variable, since WGSL allows no
 * constant expression of these values.
 */
export function literal(value: number, dtype: DType): { readonly text: string; readonly needs?: string } {
  if (dtype === "bool") return { text: value ? "true" : "false" };
  if (dtype === "u32") return { text: `${value >>> 0}u` };
  if (dtype === "i32")
    return {
      text: (value | 0) === -2147483648 ? "i32(-2147483647 - 1)" : value < 0 ? `(${value | 0}i)` : `${value | 0}i`,
    };
  const f = Math.fround(value);
  if (Number.isNaN(f)) return { text: "bitcast<f32>(NAN_BITS)", needs: "nan" };
  if (!Number.isFinite(f))
    return { text: f > 0 ? "bitcast<f32>(INF_BITS)" : "(-bitcast<f32>(INF_BITS))", needs: "inf" };
  const text = `${f}`;
  const number = /[.e]/.test(text) ? `${text}f` : `${text}.0f`;
  return { text: f < 0 || Object.is(f, -0) ? `(${Object.is(f, -0) ? "-0.0f" : number})` : number };
}

/**
 * WGSL functions for one lane and for four. `T` stands for f32 or vec4<f32>, `U` for u32 or vec4<u32>, `B` for bool or
 * vec4<bool>. The function for four lanes has `4` after its name. `NAN(x)` tests bits, because drivers may assume that
 * `x != x` is false.
 */
const functions: Readonly<Record<string, string>> = {
  // The erfc of Numerical Recipes (6.2), relative error 1.2e-7. For small x it is the Maclaurin series, so that erf
  // keeps its digits near 0. W. J. Cody's rational forms would need three branches.
  erf:
    `fn erf_(x: T) -> T {
  let z = abs(x); let t = 1.0f / (0.5f * z + 1.0f);
  let p = t * exp(-z * z - 1.26551223f + t * (1.00002368f + t * (0.37409196f + t * (0.09678418f + ` +
    `t * (-0.18628806f + t * (0.27886807f + t * (-1.13520398f + ` +
    `t * (1.48851587f + t * (-0.82215223f + t * 0.17087277f)))))))));
  let s = z * z;
  let near = z * (1.1283791671f + s * (-0.3761263890f + s * (0.1128379167f + ` +
    `s * (-0.0268661706f + s * (0.0052239776f - s * 0.0008548327f)))));
  let y = select(1.0f - p, near, z < T(0.5f));
  return select(select(y, -y, x < T(0.0f)), x, NAN(x));
}`,
  // SwiftShader's exp and log turn NaN into infinity; its logarithm of 0 is -88, and that of a negative number is 0.
  exp: `fn exp_(x: T) -> T { return select(exp(x), x, NAN(x)); }`,
  log: `fn log_(x: T) -> T {
  let y = select(log(x), T(-bitcast<f32>(INF_BITS)), x == T(0.0f));
  return select(y, T(bitcast<f32>(NAN_BITS)), (x < T(0.0f)) OR NAN(x));
}`,
  tanh: `fn tanh_(x: T) -> T { return select(tanh(clamp(x, T(-15.0f), T(15.0f))), x, NAN(x)); }`,
  // NaN if either operand is NaN.
  max: `fn max_(a: T, b: T) -> T { return select(select(b, a, (a > b) OR NAN(a)), b, NAN(b)); }`,
  min: `fn min_(a: T, b: T) -> T { return select(select(b, a, (a < b) OR NAN(a)), b, NAN(b)); }`,
  // Cody-Waite reduction to [-pi/4, pi/4], then the minimax polynomials of cephes sinf and cosf. Accurate up to about
  // 10^5 radians.
  sin: `fn turn_(x: T, shift: U) -> T {
  let n = round(x * 0.636619772f); let q = vec_u(n) + shift;
  let r = ((x - n * 1.5703125f) - n * 4.837512969970703125e-4f) - n * 7.549789948768648e-8f; let s = r * r;
  let c = 1.0f - 0.5f * s + s * s * (4.166664568298827e-2f + s * (-1.388731625493765e-3f + s * 2.443315711809948e-5f));
  let v = r + r * s * (-1.6666654611e-1f + s * (8.3321608736e-3f - s * 1.9515295891e-4f));
  let y = select(v, c, (q & U(1u)) == U(1u));
  return select(y, -y, (q & U(2u)) == U(2u));
}`,
  // x - x and x * 0. Drivers fold both to 0, but the value is NaN where x is not finite.
  self:
    "fn minus_self(x: T) -> T { return select(T(0.0f), T(bitcast<f32>(NAN_BITS)), (bitcast<U>(x) & U(0x7f800000u)) " +
    "== U(0x7f800000u)); }",
  finite:
    "fn below_infinity(x: T) -> B { let u = bitcast<U>(x); return ((u & U(0x7fffffffu)) < U(0x7f800000u)) OR (u == " +
    "U(0xff800000u)); }",
  // threefry-2x32, 20 rounds: the first or the second word of the block (x, y). random-bits.ts of @cloze/graph defines
  // which word is which element.
  threefry:
    `fn random_bits(key: vec2<u32>, x: U, y: u32, second: B) -> U {
  let k2 = key.x ^ key.y ^ 0x1bd11bdau;
  var a = x + U(key.x); var b = U(y + key.y);
  for (var r = 0u; r < 5u; r++) {
    let odd = (r & 1u) == 1u;
    let r0 = select(13u, 17u, odd); let r1 = select(15u, 29u, odd); ` +
    `let r2 = select(26u, 16u, odd); let r3 = select(6u, 24u, odd);
    a += b; b = ((b << U(r0)) | (b >> U(32u - r0))) ^ a;
    a += b; b = ((b << U(r1)) | (b >> U(32u - r1))) ^ a;
    a += b; b = ((b << U(r2)) | (b >> U(32u - r2))) ^ a;
    a += b; b = ((b << U(r3)) | (b >> U(32u - r3))) ^ a;
    let m = r % 3u;
    a += U(select(select(key.x, k2, m == 1u), key.y, m == 0u));
    b += U(select(select(key.y, key.x, m == 1u), k2, m == 0u) + r + 1u);
  }
  return select(a, b, second);
}`,
};

/** The module-scope text of the functions in `needs`. */
export function functionText(needs: ReadonlySet<string>): string {
  const out: string[] = [];
  if (["inf", "log1", "log4"].some((name) => needs.has(name))) out.push("var<private> INF_BITS: u32 = 0x7f800000u;");
  if (["nan", "self1", "self4", "log1", "log4"].some((name) => needs.has(name)))
    out.push("var<private> NAN_BITS: u32 = 0x7fc00000u;");
  for (const [name, text] of Object.entries(functions)) {
    for (const lanes of [1, 4] as const) {
      if (!needs.has(`${name}${lanes}`)) continue;
      const wide = (t: string): string => (lanes === 1 ? t : `vec4<${t}>`);
      out.push(
        text
          .replaceAll(/\bNAN\((\w)\)/g, "((bitcast<U>($1) & U(0x7fffffffu)) > U(0x7f800000u))")
          .replaceAll(/\bvec_u\(/g, lanes === 1 ? "u32_(" : "u32_4(")
          .replaceAll(/\bT\b/g, wide("f32"))
          .replaceAll(/\bU\b/g, wide("u32"))
          .replaceAll(/\bB\b/g, wide("bool"))
          .replaceAll(/\bOR\b/g, "|")
          .replaceAll(/^fn (\w+)\(/g, lanes === 1 ? "fn $1(" : "fn $14("),
      );
      if (name === "sin")
        out.push(
          lanes === 1
            ? "fn u32_(n: f32) -> u32 { return bitcast<u32>(i32(n)); }"
            : "fn u32_4(n: vec4<f32>) -> vec4<u32> { return bitcast<vec4<u32>>(vec4<i32>(n)); }",
        );
    }
  }
  return out.join("\n");
}

/** The services that the writer of an op's text can use. */
export interface Ask {
  /** Requests function `fn` of the table; returns the name of its version for these lanes. */
  readonly call: (name: string, fn: string) => string;
  readonly lanes: Lanes;
}

type Write<P extends Op> = (args: readonly string[], x: Node<P>, ask: Ask) => string;
type Elementwise = Exclude<
  Op,
  | "input"
  | "const"
  | "iota"
  | "randomBits"
  | "reduceSum"
  | "reduceMax"
  | "argMax"
  | "reshape"
  | "permute"
  | "broadcast"
  | "slice"
  | "pad"
  | "concat"
  | "matmul"
  | "gather"
  | "scatterAdd"
  | "composite"
>;

const infix =
  (op: string) =>
  ([a, b]: readonly string[]): string =>
    `(${a} ${op} ${b})`;
const call =
  (fn: string) =>
  (args: readonly string[]): string =>
    `${fn}(${args.join(", ")})`;
const larger =
  (name: "max" | "min") =>
  (args: readonly string[], x: Tensor, ask: Ask): string =>
    isFloat(x.dtype) ? call(ask.call(name, `${name}_`))(args) : call(name)(args);

const isZero = (x: Tensor): boolean => isOp(x, "const") && x.attrs.value === 0;
const isInfinity = (x: Tensor): boolean => isOp(x, "const") && x.attrs.value === Infinity;

export const elementwise: { readonly [P in Elementwise]: Write<P> } = {
  neg: ([a], x) => (x.dtype === "u32" ? `(~${a} + 1u)` : `(-${a})`),
  abs: call("abs"),
  exp: (args, _, ask) => call(ask.call("exp", "exp_"))(args),
  log: (args, _, ask) => call(ask.call("log", "log_"))(args),
  sqrt: call("sqrt"),
  sin: ([a], _, ask) => `${ask.call("sin", "turn_")}(${a}, ${wgslType("u32", ask.lanes)}(0u))`,
  cos: ([a], _, ask) => `${ask.call("sin", "turn_")}(${a}, ${wgslType("u32", ask.lanes)}(1u))`,
  tanh: (args, _, ask) => call(ask.call("tanh", "tanh_"))(args),
  erf: (args, _, ask) => call(ask.call("erf", "erf_"))(args),
  floor: call("floor"),
  not: ([a]) => `(!${a})`,
  detach: ([a]) => a as string,
  cast: ([a], x, { lanes }) => {
    const from = x.args[0].dtype;
    const to = x.attrs.dtype;
    if (to === "bf16" || from === "bf16")
      throw new UnsupportedError(`${x.path}: ${showType(x)}: WebGPU has no bf16. Use f16 or f32.`);
    if (to === "bool") return `(${a} != ${wgslType(from, lanes)}(0))`;
    if (to === "f16" && from !== "f16") return `${wgslType("f32", lanes)}(${lanes === 1 ? "f16" : "vec4<f16>"}(${a}))`;
    return wgslType(from, lanes) === wgslType(to, lanes) ? (a as string) : `${wgslType(to, lanes)}(${a})`;
  },
  add: infix("+"),
  sub: ([a, b], x, ask) => (a === b && isFloat(x.dtype) ? `${ask.call("self", "minus_self")}(${a})` : `(${a} - ${b})`),
  mul: ([a, b], x, ask) => {
    const [p, q] = x.args;
    const other = isZero(p) ? b : isZero(q) ? a : undefined;
    return other !== undefined && isFloat(x.dtype) ? `${ask.call("self", "minus_self")}(${other})` : `(${a} * ${b})`;
  },
  div: infix("/"),
  max: larger("max"),
  min: larger("min"),
  and: infix("&"),
  or: infix("|"),
  less: ([a, b], x, ask) => (isInfinity(x.args[1]) ? `${ask.call("finite", "below_infinity")}(${a})` : `(${a} < ${b})`),
  equal: infix("=="),
  select: ([c, a, b]) => `select(${b}, ${a}, ${c})`,
};

export const isElementwise = (x: Tensor): x is Node<Elementwise> => groups.elementwise.has(x.op);
