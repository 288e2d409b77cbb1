/** Whether a backend can run on this machine: what `doctor` prints and `--backend auto` decides by. */
export type Probe =
  | { readonly available: true; readonly device: string; readonly details: Readonly<Record<string, string>> }
  | { readonly available: false; readonly reason: string; readonly remedy: string };

export const available = (device: string, details: Readonly<Record<string, string>> = {}): Probe => ({ available: true, device, details });

/** `reason`: why it cannot run here. `remedy`: what would help. */
export const unavailable = (reason: string, remedy: string): Extract<Probe, { readonly available: false }> => ({ available: false, reason, remedy });
