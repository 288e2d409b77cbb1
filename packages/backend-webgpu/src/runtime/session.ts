/** A session: named state on the device, and the runs over it, in the order of the calls. */
import { checkProgramState, checkWritten, stateNamed, type Executable, type Session } from "@cloze/backend";
import { ConfigError } from "@cloze/errors";
import type { HostTensors, Program } from "@cloze/graph";
import type { DeviceProgram } from "./device-program.ts";
import { decode, encode } from "./host-data.ts";
import { runProgram } from "./run.ts";
import type { Runtime } from "./runtime.ts";
import { checkWhole, layState, upload, type StateLayout } from "./state.ts";
import { DEVICE_MEMORY } from "./usage.ts";

/** The services of the backend that a session uses. */
export interface Programs {
  readonly find: (executable: Executable) => DeviceProgram;
  /** Removes all links of programs to a session that ended. */
  readonly unlink: (session: WebGpuSession) => void;
}

/** Bytes of one readback. */
const PIECE = 64 * 2 ** 20;

/**
 * Starts a session. It copies the caller's arrays before it first waits, so the caller may change them afterwards. It
 * resolves when the device has the memory.
 */
export async function startSession(runtime: Runtime, programs: Programs, state: HostTensors): Promise<WebGpuSession> {
  const { device, health, buffers, profile } = runtime;
  health.check();
  for (const [name, tensor] of Object.entries(state)) checkWhole(name, tensor);
  const layout = layState(state, profile);
  const made: ReturnType<typeof buffers.make>[] = [];
  try {
    for (const bytes of layout.chunks) made.push(buffers.make("state", bytes, DEVICE_MEMORY));
    // A write to a buffer without memory is an error too, but `ready` reports the missing memory first.
    device.pushErrorScope("validation");
    for (const [name, { spot, element }] of layout.entries)
      upload(device, made[spot.chunk]?.buffer as GPUBuffer, spot.offset, state[name] as HostTensors[string], element);
    const written = device.popErrorScope();
    for (const { ready } of made) await ready;
    const error = await health.guard(written);
    if (error !== null) throw new ConfigError(`backend webgpu: state was not written: ${error.message.split("\n")[0]}`);
  } catch (error) {
    for (const { buffer } of made) buffers.release(buffer);
    throw error;
  }
  return new WebGpuSession(
    runtime,
    programs,
    layout,
    made.map(({ buffer }) => buffer),
  );
}

export class WebGpuSession implements Session {
  readonly layout: StateLayout;
  readonly buffers: readonly GPUBuffer[];
  readonly #runtime: Runtime;
  readonly #programs: Programs;
  /** Programs whose state matches this session. */
  readonly #checked = new WeakSet<Program>();
  #open = true;

  constructor(runtime: Runtime, programs: Programs, layout: StateLayout, buffers: readonly GPUBuffer[]) {
    this.#runtime = runtime;
    this.#programs = programs;
    this.layout = layout;
    this.buffers = buffers;
  }

  async run(executable: Executable, feeds: HostTensors): Promise<HostTensors> {
    this.#check("run");
    const { program } = executable;
    const found = this.#programs.find(executable);
    const packed = found.pack(program, feeds);
    if (!this.#checked.has(program)) {
      checkProgramState(program, this.layout.entries);
      this.#checked.add(program);
    }
    return runProgram(this.#runtime, found, this, packed);
  }

  async read(names: readonly string[] = [...this.layout.entries.keys()]): Promise<HostTensors> {
    this.#check("read");
    const wanted = [...new Set(names)].map((name) => ({ name, ...stateNamed(this.layout.entries, name) }));
    return this.#runtime.lane.next(async () => {
      this.#runtime.health.check();
      const bytes = wanted.map((entry) => new Uint8Array(entry.bytes));
      for (const piece of piecesOf(wanted.map((entry) => entry.bytes))) {
        const copied = new Uint8Array(
          await this.#copy(
            piece.map((part) => ({ ...part, spot: (wanted[part.item] as (typeof wanted)[number]).spot })),
          ),
        );
        let at = 0;
        for (const { item, start, length } of piece) {
          (bytes[item] as Uint8Array).set(copied.subarray(at, at + length), start);
          at += length;
        }
      }
      return Object.fromEntries(
        wanted.map(({ name, dtype, shape }, i) => [
          name,
          decode({ dtype, shape }, (bytes[i] as Uint8Array<ArrayBuffer>).buffer),
        ]),
      );
    });
  }

  async write(state: HostTensors): Promise<void> {
    this.#check("write");
    checkWritten(this.layout.entries, state);
    const copies = Object.entries(state).map(([name, value]) => {
      const { element, spot } = stateNamed(this.layout.entries, name);
      return { spot, bytes: encode(value, element) };
    });
    await this.#runtime.lane.next(async () => {
      this.#runtime.health.check();
      for (const { spot, bytes } of copies)
        this.#runtime.device.queue.writeBuffer(this.buffers[spot.chunk] as GPUBuffer, spot.offset, bytes);
    });
  }

  /** Frees the state after all earlier runs are submitted. */
  async dispose(): Promise<void> {
    if (!this.#open) return;
    this.#open = false;
    await this.#runtime.lane.next(async () => {
      this.#programs.unlink(this);
      for (const buffer of this.buffers) this.#runtime.buffers.release(buffer);
    });
  }

  /** Copies parts of the state to the host, one after another. */
  async #copy(
    parts: readonly (Part & { readonly spot: { readonly chunk: number; readonly offset: number } })[],
  ): Promise<ArrayBuffer> {
    const { device, readback, health } = this.#runtime;
    const total = parts.reduce((sum, { length }) => sum + length, 0);
    const back = await readback.take(total);
    health.check();
    const encoder = device.createCommandEncoder();
    let at = 0;
    for (const { spot, start, length } of parts) {
      encoder.copyBufferToBuffer(this.buffers[spot.chunk] as GPUBuffer, spot.offset + start, back, at, length);
      at += length;
    }
    device.queue.submit([encoder.finish()]);
    return readback.bytes(back, total, total <= 2 ** 20);
  }

  #check(what: string): void {
    if (!this.#open) throw new ConfigError(`session.${what}: the session is disposed. Start another.`);
    this.#runtime.health.check();
  }
}

/** A range of bytes of item number `item`. */
interface Part {
  readonly item: number;
  readonly start: number;
  readonly length: number;
}

/** Divides items of `sizes` bytes into pieces of at most `limit` bytes. Each piece is one readback. */
export function piecesOf(sizes: readonly number[], limit: number = PIECE): readonly (readonly Part[])[] {
  const pieces: Part[][] = [];
  let room = 0;
  sizes.forEach((size, item) => {
    for (let start = 0; start < size;) {
      if (room === 0) {
        pieces.push([]);
        room = limit;
      }
      const length = Math.min(room, size - start);
      pieces.at(-1)?.push({ item, start, length });
      start += length;
      room -= length;
    }
  });
  return pieces;
}
