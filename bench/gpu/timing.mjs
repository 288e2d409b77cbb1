// The timing of a program's runs, from call to outputs. `ms` is the median of single runs. `pipelinedMs` is the mean of
// runs of which two are always in flight, as in training.
import { quantile } from "./modes.mjs";

export async function timeRuns(session, executable, feeds, rounds) {
  const single = [];
  for (let i = 0; i < 2; i++) await session.run(executable, feeds(i + 1));
  for (let i = 0; i < rounds; i++) {
    const began = performance.now();
    await session.run(executable, feeds(i + 3));
    single.push(performance.now() - began);
  }
  const began = performance.now();
  let before = session.run(executable, feeds(rounds + 3));
  for (let i = 1; i < rounds; i++) {
    const next = session.run(executable, feeds(rounds + 3 + i));
    await before;
    before = next;
  }
  await before;
  return { ms: quantile(single, 0.5), minMs: quantile(single, 0), pipelinedMs: (performance.now() - began) / rounds };
}
