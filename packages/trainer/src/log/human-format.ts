/**
 * Number formats for people: durations, counts, bytes, rates, metric values. The terminal and the report use the same
 * formats. The formats ignore the locale of the machine, so that two runs of one command print the same text.
 */

/** `0.4s`, `42s`, `3m 12s`, `2h 05m`, `3d 04h`; `?` for an unknown duration. */
export function formatDuration(seconds: number): string {
  if (!Number.isFinite(seconds) || seconds < 0) return "?";
  if (seconds < 9.95) return `${seconds.toFixed(1)}s`;
  const s = Math.round(seconds);
  if (s < 60) return `${s}s`;
  if (s < 3600) return `${Math.floor(s / 60)}m ${pad(s % 60)}s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 24 * 60) return `${Math.floor(minutes / 60)}h ${pad(minutes % 60)}m`;
  const hours = Math.round(seconds / 3600);
  return `${Math.floor(hours / 24)}d ${pad(hours % 24)}h`;
}

/** Three significant digits and a suffix: `950`, `12.3k`, `1.20M`, `3.40B`, `15.0T`. */
export function formatCount(count: number): string {
  if (!Number.isFinite(count)) return String(count);
  const size = Math.abs(count);
  if (size < 999.5) return Number.isInteger(count) ? String(count) : trim3(count);
  return scaled(count, 1000, ["k", "M", "B", "T"], "");
}

/** Operations, by powers of 1000: `900 MFLOPs`, `56.1 PFLOPs`. */
export function formatFlops(flops: number): string {
  if (!Number.isFinite(flops) || Math.abs(flops) < 999.5) return `${flops} FLOPs`;
  return scaled(
    flops,
    1000,
    ["k", "M", "G", "T", "P", "E", "Z"].map((prefix) => `${prefix}FLOPs`),
    " ",
  );
}

/** All digits, in groups of three: `1,234,567`. */
export function formatInteger(value: number): string {
  return Number.isFinite(value)
    ? Math.round(value)
        .toFixed(0)
        .replace(/\B(?=(\d{3})+$)/g, ",")
    : String(value);
}

/** Powers of 1024: `512 B`, `1.50 KiB`, `12.0 GiB`. */
export function formatBytes(bytes: number): string {
  if (!Number.isFinite(bytes)) return String(bytes);
  return Math.abs(bytes) < 1024
    ? `${Math.round(bytes)} B`
    : scaled(bytes, 1024, ["KiB", "MiB", "GiB", "TiB", "PiB"], " ");
}

/**
 * A metric with four significant digits: `2.413`, `0.05000`, `123.5`. Very small and very large values use powers of
 * ten: `3.000e-4`.
 */
export function formatValue(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  const size = Math.abs(value);
  if (value === 0) return "0";
  if (size < 1e-2 || size >= 1e6) return value.toExponential(3);
  return size >= 1000 ? formatInteger(value) : value.toPrecision(4);
}

function scaled(value: number, base: number, units: readonly string[], space: string): string {
  let scaledValue = value / base;
  let unit = 0;
  // 999.5 would round to a number of four digits. The next unit needs only three.
  while (Math.abs(scaledValue) >= base - (base === 1000 ? 0.5 : 0.05) && unit < units.length - 1) {
    scaledValue /= base;
    unit++;
  }
  return `${trim3(scaledValue)}${space}${units[unit]}`;
}

function trim3(value: number): string {
  const size = Math.abs(value);
  return value.toFixed(size < 9.995 ? 2 : size < 99.95 ? 1 : 0);
}

function pad(value: number): string {
  return String(value).padStart(2, "0");
}
