/**
 * The layout of one session's state on the device. The state has its own chunks, sorted by element type (f32 first) and
 * then by name. A window kernel thus finds parameters and moments in few buffers and in one order.
 */
import { ConfigError } from "@cloze/errors";
import { showType, sizeOf, type HostTensor, type TensorType } from "@cloze/graph";
import type { Element, Storage } from "../kernel.ts";
import type { Profile } from "../profile.ts";
import { deviceBytes, elementOf, encode } from "./host-data.ts";
import { checkFits, packing } from "./layout.ts";
import { pack, type Spot } from "./place.ts";

export interface StateEntry extends TensorType {
  readonly element: Element;
  readonly spot: Spot;
  readonly bytes: number;
}

export interface StateLayout {
  /** Entries in the caller's order. */
  readonly entries: ReadonlyMap<string, StateEntry>;
  readonly spots: ReadonlyMap<string, Spot>;
  /** Bytes of each chunk. */
  readonly chunks: readonly number[];
}

const ELEMENT_ORDER: readonly Element[] = ["f32", "i32", "u32", "f16"];

export function layState(types: Readonly<Record<string, TensorType>>, profile: Profile): StateLayout {
  const options = packing(profile);
  const all = Object.entries(types).map(([name, { dtype, shape }]) => {
    const element = elementOf(`state "${name}"`, dtype, profile.f16);
    const size = sizeOf(shape);
    checkFits({ kind: "state", name, element, size } satisfies Storage, "", options.chunkBytes);
    return { name, dtype, shape: [...shape], element, bytes: deviceBytes(element, size) };
  });
  const rank = (element: Element): number => ELEMENT_ORDER.indexOf(element);
  const sorted = [...all].sort((a, b) => rank(a.element) - rank(b.element) || (a.name < b.name ? -1 : 1));
  const packed = pack(
    sorted.map(({ bytes }) => bytes),
    options,
  );
  const spots = new Map(sorted.map(({ name }, i) => [name, packed.spots[i] as Spot]));
  return {
    entries: new Map(all.map(({ name, ...entry }) => [name, { ...entry, spot: spots.get(name) as Spot }])),
    spots,
    chunks: packed.chunks,
  };
}

/** Throws where a tensor's data has another number of elements than its shape. */
export function checkWhole(name: string, tensor: HostTensor): void {
  if (tensor.data.length !== sizeOf(tensor.shape)) {
    throw new ConfigError(
      `state "${name}": expected ${sizeOf(tensor.shape)} elements for ${showType(tensor)}, got ${tensor.data.length}.`,
    );
  }
}

/** Largest number of bytes in one write. A driver stages each write in its own memory. */
const PIECE = 64 * 2 ** 20;

/** Copies a tensor to the device. The caller may change its array when this returns. */
export function upload(
  device: GPUDevice,
  buffer: GPUBuffer,
  offset: number,
  tensor: HostTensor,
  element: Element,
): void {
  const { data, dtype } = tensor;
  const bytes =
    dtype === "bool" || data.byteLength % 4 !== 0
      ? encode(tensor, element)
      : new Uint8Array(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength);
  for (let at = 0; at < bytes.length; at += PIECE)
    device.queue.writeBuffer(buffer, offset + at, bytes, at, Math.min(PIECE, bytes.length - at));
}
