/**
 * An emulation of 8 x 8 x 8 subgroup matrices in plain WGSL. It is for devices that have subgroups of 8 but no subgroup
 * matrices. Lane r holds row r of a result. A product reads its operands directly from workgroup memory. Only tests use
 * this file.
 *
 * The meaning of each builtin is that of Dawn's WGSL extension: `left` is [m, k], `right` is [k, n], `result` is
 * [m, n]. A load or a store begins at an offset. The distance between two rows (two columns in `col_major`) is the
 * stride.
 */
export function emulateMatrices(wgsl: string): string {
  const made = new Map<string, string>();
  const at: Record<string, string> = {};
  /**
   * A loop bound of 8 that compilers cannot compute, so that they do not unroll. Unrolled loops compile for minutes.
   */
  const eight = "8u + emuLane / 8u";
  const body = wgsl
    .split("\n")
    .map((line) =>
      line
        .replace(/subgroup_matrix_result<f32, 8, 8>\(\)/g, "array<vec4<f32>, 2>()")
        .replace(
          /subgroupMatrixLoad<subgroup_matrix_(left|right)<f16, 8, 8>, (row|col)_major>\(&(\w+), /g,
          (_, side: string, order: string, array: string) => {
            at[side] = `${array}_${order}`;
            return "vec2<u32>(";
          },
        )
        .replace(/subgroupMatrixMultiplyAccumulate/g, () => {
          const [left = "", right = "", order = ""] = [at["left"], at["right"]]
            .join("_")
            .replace("_row_", "_")
            .split("_");
          const name = `emu_${left}_${right}_${order}`;
          const [inner, outer] = order === "row" ? ["4u * h + c", "k"] : ["k", "4u * h + c"];
          made.set(
            name,
            `fn ${name}(l: vec2<u32>, r: vec2<u32>, sum: array<vec4<f32>, 2>) -> array<vec4<f32>, 2> {
var x = sum;
for (var k = 0u; k < ${eight}; k++) {
let a = f32(${left}[l.x + emuLane * l.y + k]);
${[0, 1]
  .map(
    (h) =>
      `x[${h}] += a * ` +
      `vec4<f32>(${[0, 1, 2, 3]
        .map((c) => `f32(${right}[r.x + (${outer}) * r.y + ${inner}])`.replaceAll("4u * h + c", `${4 * h + c}u`))
        .join(", ")});`,
  )
  .join("\n")}
}
return x;
}`,
          );
          return name;
        })
        .replace(/subgroupMatrixStore<row_major>\(&(\w+), /g, (_, array: string) => {
          made.set(
            `store_${array}`,
            `fn emuStore_${array}(o: u32, x: array<vec4<f32>, 2>, stride: u32) { for (var c = 0u; c < ${eight}; ` +
              `c++) { ${array}[o + emuLane * stride + c] = x[c / 4u][c % 4u]; } }`,
          );
          return `emuStore_${array}(`;
        }),
    )
    .join("\n")
    .replace("@diagnostic(off, chromium.subgroup_matrix_uniformity) ", "")
    .replace("enable chromium_experimental_subgroup_matrix;", "")
    .replace(/(fn main\(.*\{\n)/, "$1emuLane = lid % 8u;\n");
  return `${body}\nvar<private> emuLane: u32;\n${[...made.values()].join("\n")}`;
}
