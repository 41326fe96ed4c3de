/** What some work takes of this thread's processor, in milliseconds, however many other threads want it. */
export async function threadMs(work: () => void | Promise<void>): Promise<number> {
  const before = process.threadCpuUsage();
  await work();
  return since(before);
}

/** The most of this thread's processor that one turn of the event loop took while some work went on, in milliseconds. */
export async function longestTurn(work: () => Promise<void>): Promise<number> {
  let mostMs = 0;
  let isDone = false;
  let before = process.threadCpuUsage();
  const watch = () => {
    mostMs = Math.max(mostMs, since(before));
    before = process.threadCpuUsage();
    if (!isDone) setImmediate(watch);
  };
  setImmediate(watch);
  await work();
  isDone = true;
  watch();
  return mostMs;
}

/** The best of four tries, or the first below `enoughMs`: on a machine that many share, the others' time is counted too. */
export async function bestTurn(attempt: () => Promise<number>, enoughMs = 50): Promise<number> {
  let best = Number.POSITIVE_INFINITY;
  for (let tries = 0; tries < 4 && best >= enoughMs; tries++) best = Math.min(best, await attempt());
  return best;
}

function since(before: NodeJS.CpuUsage): number {
  const { user, system } = process.threadCpuUsage(before);
  return (user + system) / 1000;
}
