// How a device is opened and what contractions are computed in: the columns of every table. `expect` is the error that
// a checksum or loss of the mode may have beside f32.
export const modes = {
  f32: { compute: "f32", device: { f16: false }, expect: 1e-3 },
  f16: { compute: "f16", device: { f16: true }, expect: 3e-2 },
  matrix: { compute: "f16", device: { f16: true, subgroupMatrix: true }, expect: 3e-2 },
};

/** Why a mode cannot be had on a device, or undefined. */
export function missing(mode, profile) {
  if (mode !== "f32" && !profile.f16) return "no 16-bit floats";
  if (mode === "matrix" && profile.subgroupMatrix.length === 0) return "no subgroup matrices";
  return undefined;
}

export const quantile = (list, q) => [...list].sort((a, b) => a - b)[Math.floor((list.length - 1) * q)];
