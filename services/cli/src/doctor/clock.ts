import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { type Finding, ok, problem } from "./finding.ts";

/** Service tokens are taken this much before and after their time. */
const toleratedMs = 30_000;
const remedy = "Set the clock, and keep it with NTP: timedatectl set-ntp true, or chrony.";

/** What is known of the time beside this machine's clock. */
export interface Witnesses {
  readonly nowMs: number;
  /** Of the mesh's answer; absent where none answers. */
  readonly serverMs: number | undefined;
  /** When something in the data directory was last written; absent where there is nothing. */
  readonly writtenMs: number | undefined;
}

/** Tokens, sessions and leases are refused where clocks differ, or after one went back. */
export function judgeClock({ nowMs, serverMs, writtenMs }: Witnesses): Finding {
  const now = new Date(nowMs).toISOString();
  if (serverMs !== undefined && Math.abs(serverMs - nowMs) > toleratedMs) {
    const seconds = Math.round((serverMs - nowMs) / 1000);
    const how = `${Math.abs(seconds)} s ${seconds > 0 ? "behind" : "ahead of"}`;
    return problem("clock", `This machine's clock (${now}) is ${how} the mesh's: tokens are refused.`, remedy);
  }
  if (writtenMs !== undefined && writtenMs - nowMs > toleratedMs) {
    const last = new Date(writtenMs).toISOString();
    return problem(
      "clock",
      `The clock says ${now}, and the data directory was written at ${last}: it went back.`,
      remedy,
    );
  }
  return ok("clock", `The clock says ${now}${serverMs === undefined ? "" : ", as the mesh does"}.`);
}

/** When the entries of a folder were last written. */
export async function lastWrittenMs(folder: string): Promise<number | undefined> {
  const names = await readdir(folder).catch(() => []);
  const times = await Promise.all(
    names.map((name) =>
      stat(join(folder, name)).then(
        ({ mtimeMs }) => mtimeMs,
        () => 0,
      ),
    ),
  );
  return times.length === 0 ? undefined : Math.max(...times);
}
