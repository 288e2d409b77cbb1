/** The public API of next-sentence prediction, an objective package. */
export { nsp, nsp as objective } from "./nsp.ts";
