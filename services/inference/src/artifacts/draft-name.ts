import { randomBytes } from "node:crypto";
import { hostname } from "node:os";

/** What is written in another machine's name is left alone for so long, in milliseconds. */
const foreignMs = 24 * 3_600_000;

const host = hostname().replaceAll(/[^A-Za-z0-9-]/g, "-");
const life = randomBytes(4).toString("hex");

/** A name for what this process is writing: it tells who writes, so that whoever finds it knows whether that one still lives. */
export function draftName(): string {
  return `${host}.${process.pid}.${life}.${randomBytes(4).toString("hex")}`;
}

/** Whether nobody writes a draft any more. `touchedAt`, `now`: milliseconds since the epoch. */
export function isLeft(name: string, touchedAt: number, now: number): boolean {
  const [writerHost, pid, writerLife] = name.split(".");
  const isMine = writerHost === host && Number(pid) === process.pid;
  if (isMine) return writerLife !== life;
  if (writerHost === host && /^\d+$/.test(pid ?? "") && !isAlive(Number(pid))) return true;
  return now - touchedAt > foreignMs;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
