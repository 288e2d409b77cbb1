/** The public API of locks between processes. Node only. */
export { lock, tryLock, type Holder, type Lock, type LockOptions } from "./lock.ts";
export { ownerState, ownerTag } from "./owner.ts";
