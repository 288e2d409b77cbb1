/** Functions that format numbers for people. */

export const integer = (value: number): string => Math.round(value).toLocaleString("en-US");
export const nats = (value: number | undefined): string => (value === undefined ? "–" : value.toFixed(3));
export const percent = (share: number): string => `${(share * 100).toFixed(1)} %`;

export function count(value: number): string {
  if (value < 10_000) return integer(value);
  return value < 1e6
    ? `${(value / 1e3).toFixed(value < 1e5 ? 1 : 0)} k`
    : `${(value / 1e6).toFixed(value < 1e8 ? 1 : 0)} M`;
}

export function bytes(value: number): string {
  return value < 1e6
    ? `${Math.max(1, Math.round(value / 1e3))} kB`
    : value < 1e9
      ? `${(value / 1e6).toFixed(value < 1e7 ? 1 : 0)} MB`
      : `${(value / 1e9).toFixed(1)} GB`;
}

export function duration(seconds: number): string {
  if (seconds < 1) return "less than 1 s";
  if (seconds < 90) return `${Math.round(seconds)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  return seconds < 172_800 ? `${(seconds / 3600).toFixed(1)} h` : `${(seconds / 86_400).toFixed(1)} days`;
}

/** The hour and minute of a time in milliseconds since 1970, as the visitor's country writes them. */
export const timeOfDay = (ms: number): string => new Date(ms).toLocaleTimeString(undefined, { timeStyle: "short" });
