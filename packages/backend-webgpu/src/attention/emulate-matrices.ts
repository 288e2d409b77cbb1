/**
 * Subgroup matrices of 8 x 8 x 8 by hand, for devices that have subgroups of 8 and no such matrices: lane r holds row r
 * of a result, and a product reads its operands where they lie in workgroup memory. For tests alone.
 *
 * What each builtin means is taken from Dawn's WGSL extension: `left` is [m, k], `right` [k, n], `result` [m, n]; a
 * load or store begins at an offset, and rows (columns in `col_major`) are a stride apart.
 */
export function emulateMatrices(wgsl: string): string {
  const made = new Map<string, string>();
  const at: Record<string, string> = {};
  /** A bound that no compiler sees: unrolled, all this takes minutes to compile. */
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
${[0, 1].map((h) => `x[${h}] += a * ` + `vec4<f32>(${[0, 1, 2, 3].map((c) => `f32(${right}[r.x + (${outer}) * r.y + ${inner}])`.replaceAll("4u * h + c", `${4 * h + c}u`)).join(", ")});`).join("\n")}
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
