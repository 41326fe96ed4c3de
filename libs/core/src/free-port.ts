import { randomInt } from "node:crypto";
import { createServer } from "node:net";

/**
 * Ports a process is told to keep must lie outside what systems give to outgoing connections (Linux from 32768, macOS and Windows from 49152): between two
 * starts of the process such a connection may sit on its port, and then it cannot listen.
 */
const lowest = 15_000;
const highest = 32_000;
const attempts = 100;

/** Ports given out by this process, so that two callers at once get two. */
const given = new Set<number>();

/** A port of `host` that nobody listens on and no outgoing connection will take. Rejects when none was found. */
export async function freePort(host = "127.0.0.1"): Promise<number> {
  for (let attempt = 0; attempt < attempts; attempt += 1) {
    const port = randomInt(lowest, highest);
    if (given.has(port)) continue;
    given.add(port);
    if (await isFree(host, port)) return port;
  }
  throw new Error(`No free port of ${host} was found between ${lowest} and ${highest}.`);
}

/** Whether a port can be listened on. */
export async function isFree(host: string, port: number): Promise<boolean> {
  return (await listenFailure(host, port)) === undefined;
}

/** Why a port cannot be listened on: "EADDRINUSE", "EACCES", "EADDRNOTAVAIL" …; undefined when it can. */
export function listenFailure(host: string, port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    server.listen(port, host, () => server.close(() => resolve(undefined)));
  });
}
