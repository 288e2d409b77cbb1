/**
 * A backend that records all calls of its sessions, in order. Each answer waits for at least one turn of the event
 * loop.
 */
import type { Backend, Executable, Session } from "@cloze/backend";
import type { HostTensors } from "@cloze/graph";

export interface Observation {
  /** `call step`, `done step`, `read`. A run that updates parameters is a step; any other run is an evaluation. */
  readonly events: string[];
  /** All state at the time when the session was disposed. */
  last: HostTensors;
}

export function observed(backend: Backend): { readonly backend: Backend; readonly seen: Observation } {
  const seen: Observation = { events: [], last: {} };
  const watch = (session: Session): Session => {
    let steps = 0;
    let before: Promise<unknown> = Promise.resolve();
    const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
      const result = before.then(() => new Promise((resolve) => void setImmediate(resolve))).then(work);
      before = result.catch(() => {});
      return result;
    };
    return {
      run(executable: Executable, feeds: HostTensors): Promise<HostTensors> {
        const name = executable.program.guard ? `step ${++steps}` : "evaluation";
        seen.events.push(`call ${name}`);
        return inTurn(() => session.run(executable, feeds)).finally(() => void seen.events.push(`done ${name}`));
      },
      read(names?: readonly string[]): Promise<HostTensors> {
        seen.events.push("read");
        return inTurn(() => session.read(names));
      },
      write: (state) => inTurn(() => session.write(state)),
      async dispose(): Promise<void> {
        seen.last = await inTurn(() => session.read());
        await session.dispose();
      },
    };
  };
  return { backend: { ...backend, start: async (state) => watch(await backend.start(state)) }, seen };
}
