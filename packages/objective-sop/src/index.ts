/** The public API of sentence-order prediction, an objective package. */
export { sop, sop as objective } from "./sop.ts";
