// The modes of the bench, which are the columns of every table: the options of the device and the type of contractions.
// `expect` is the allowed error of a loss in this mode, compared with f32.
export const modes = {
  f32: { compute: "f32", device: { f16: false }, expect: 1e-3 },
  f16: { compute: "f16", device: { f16: true }, expect: 3e-2 },
  matrix: { compute: "f16", device: { f16: true, subgroupMatrix: true }, expect: 3e-2 },
};

/** The reason why a device does not have a mode, or undefined. */
export function missing(mode, profile) {
  if (mode !== "f32" && !profile.f16) return "no 16-bit floats";
  if (mode === "matrix" && profile.subgroupMatrix.length === 0) return "no subgroup matrices";
  return undefined;
}

export const quantile = (list, q) => [...list].sort((a, b) => a - b)[Math.floor((list.length - 1) * q)];
