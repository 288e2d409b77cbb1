/**
 * Counter-based randomness: `bits(key, counter)` is a pure function. A draw depends on its purpose (seed, step, index)
 * and never on the number of earlier draws. So the numbers are the same on every backend, at every world size, and
 * after every resume.
 *
 * Generator: Threefry-2x32 with 20 rounds. Source: Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3";
 * checked against the known-answer vectors of the authors' Random123 library.
 */
export { threefry2x32, type Word2 } from "./threefry.ts";
export { RandomStream, hashString, permute } from "./stream.ts";
