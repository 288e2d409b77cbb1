/** Sentence-order prediction as an objective package. */
export { sop, sop as objective } from "./sop.ts";
