/**
 * The answer to the question whether a backend can run on this machine. `doctor` prints it, and `--backend auto`
 * decides by it.
 */
export type Probe =
  | {
      readonly available: true;
      readonly device: string;
      readonly details: Readonly<Record<string, string>>;
      /**
       * The reason why only a user should choose this backend, by name. It is set where the backend works but not as
       * intended, for example on a GPU that the CPU emulates.
       */
      readonly lastResort?: string;
    }
  | { readonly available: false; readonly reason: string; readonly remedy: string };

export const available = (
  device: string,
  details: Readonly<Record<string, string>> = {},
  { lastResort }: { readonly lastResort?: string | undefined } = {},
): Probe => ({ available: true, device, details, ...(lastResort === undefined ? {} : { lastResort }) });

/** A probe's negative answer: the reason why the backend cannot run, and the remedy. */
export const unavailable = (reason: string, remedy: string): Extract<Probe, { readonly available: false }> => ({
  available: false,
  reason,
  remedy,
});
