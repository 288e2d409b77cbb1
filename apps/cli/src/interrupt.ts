/** Handler of Ctrl-C and SIGTERM. The first signal asks a run to stop and save; the second ends the process. */

export interface Interrupt {
  readonly signal: AbortSignal;
  /** Exit code for the first signal: 130 for SIGINT, 143 for SIGTERM; 0 before any signal. */
  readonly exitCode: () => number;
  stop(): void;
}

/** Calls `onFirst` at the first signal. The caller calls `stop` when the run is over. */
export function onInterrupt(onFirst: () => void): Interrupt {
  const controller = new AbortController();
  const codes = { SIGINT: 130, SIGTERM: 143 } as const;
  let code = 0;
  const handlers = (Object.keys(codes) as (keyof typeof codes)[]).map((name) => {
    const handler = (): void => {
      if (code !== 0) process.exit(codes[name]);
      code = codes[name];
      onFirst();
      controller.abort();
    };
    process.on(name, handler);
    return [name, handler] as const;
  });
  return {
    signal: controller.signal,
    exitCode: () => code,
    stop: () => handlers.forEach(([name, handler]) => process.off(name, handler)),
  };
}
