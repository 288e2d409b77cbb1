/** Next-sentence prediction as an objective package. */
export { nsp, nsp as objective } from "./nsp.ts";
