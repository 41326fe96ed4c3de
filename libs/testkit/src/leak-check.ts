import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll } from "vitest";
import { hasTestPostgres } from "./postgres.ts";

/** What a test must not leave behind, as Node names it, with the words for a person. */
const watched: Readonly<Record<string, string>> = {
  TCPSocketWrap: "socket",
  TCPServerWrap: "listener",
  ProcessWrap: "child process",
  FSEventWrap: "file watcher",
};

const graceMs = 2_000;
const pollMs = 20;

/** How many of each kind keep this process alive. The shared test PostgreSQL is a child of ours that belongs to nobody's test. */
export function openHandles(): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const name of process.getActiveResourcesInfo()) {
    const kind = watched[name];
    if (kind !== undefined) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  }
  if (hasTestPostgres()) counts.set("child process", Math.max(0, (counts.get("child process") ?? 0) - 1));
  return counts;
}

/** Waits a moment for closing handles, then throws when there are more than before. */
export async function expectNoLeaks(before: ReadonlyMap<string, number>): Promise<void> {
  const started = performance.now();
  let leaks = leaksSince(before);
  while (leaks.length > 0 && performance.now() - started < graceMs) {
    await sleep(pollMs);
    leaks = leaksSince(before);
  }
  if (leaks.length > 0) throw new Error(`Left open: ${leaks.join(", ")}.`);
}

/** Fails the file it is called in when that leaves sockets, listeners, file watchers or child processes open. Call it before other hooks. */
export function expectNoOpenHandles(): void {
  let before: ReadonlyMap<string, number> = new Map();
  beforeAll(() => {
    before = openHandles();
  });
  afterAll(() => expectNoLeaks(before));
}

function leaksSince(before: ReadonlyMap<string, number>): string[] {
  const now = openHandles();
  return [...now]
    .map(([kind, count]) => ({ kind, more: count - (before.get(kind) ?? 0) }))
    .filter(({ more }) => more > 0)
    .map(({ kind, more }) => `${more} ${kind}${more === 1 ? "" : "s"}`);
}
