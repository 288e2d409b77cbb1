/** Whether a backend can run on this machine: what `doctor` prints and `--backend auto` decides by. */
export type Probe =
  | {
      readonly available: true;
      readonly device: string;
      readonly details: Readonly<Record<string, string>>;
      /**
       * Why it should be taken only by name, where it runs but not as it is meant to: a GPU that is emulated on the
       * CPU.
       */
      readonly lastResort?: string;
    }
  | { readonly available: false; readonly reason: string; readonly remedy: string };

export const available = (
  device: string,
  details: Readonly<Record<string, string>> = {},
  { lastResort }: { readonly lastResort?: string | undefined } = {},
): Probe => ({ available: true, device, details, ...(lastResort === undefined ? {} : { lastResort }) });

/** `reason`: why it cannot run here. `remedy`: what would help. */
export const unavailable = (reason: string, remedy: string): Extract<Probe, { readonly available: false }> => ({
  available: false,
  reason,
  remedy,
});
