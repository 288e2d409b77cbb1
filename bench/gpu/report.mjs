// The printed table: one line, or a few, for each row of the JSON.
const number = (x, digits) => (x === undefined ? "" : x.toFixed(digits));

export function lineOf({
  kind,
  name,
  mode,
  tile,
  ms,
  pipelinedMs,
  tflops,
  tokensPerSecond,
  kernels,
  peakBytes,
  error,
  ok,
  failed,
  profile,
  passed,
  skipped,
  failures,
}) {
  if (failed !== undefined)
    return `${kind.padEnd(9)} ${mode.padEnd(6)} ${name}${tile ? ` ${tile}` : ""} FAILED ${failed}`;
  const cells = [
    ms === undefined ? "" : `${number(pipelinedMs ?? ms, 3)} ms`,
    tflops === undefined ? "" : `${number(tflops, 3)} TFLOP/s`,
    tokensPerSecond === undefined ? "" : `${number(tokensPerSecond, 0)} tokens/s`,
    kernels === undefined ? "" : `${kernels} kernels`,
    peakBytes === undefined ? "" : `${number(peakBytes / 2 ** 20, 0)} MiB`,
    error === undefined ? "" : `off by ${error.toExponential(1)}`,
    passed === undefined ? "" : `${passed} passed, ${failures} failed, ${skipped} skipped`,
    ok ? "" : "WRONG",
  ].filter((cell) => cell !== "");
  const lines = [
    `${kind.padEnd(9)} ${mode.padEnd(6)} ${`${name}${tile ? `  ${tile}` : ""}`.padEnd(56)} ${cells.join(", ")}`,
  ];
  for (const k of profile ?? [])
    lines.push(
      `    ${`${(100 * k.share).toFixed(1)} %`.padStart(7)} ${`${k.ms.toFixed(3)} ms`.padStart(12)} in ` +
        `${String(k.count).padStart(4)}  ${k.kernel}; longest ${k.longestMs.toFixed(3)} ms ${k.longest}`,
    );
  return lines.join("\n");
}
