import { readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { freePort } from "@aimass/core";
import { portTaken } from "./failure.ts";

/**
 * The port to use: the wanted one, which must be free; else the one kept from the last start when it is free; else any free one.
 */
export async function choosePort(wanted: number | undefined, portFile: string): Promise<number> {
  if (wanted !== undefined && wanted !== 0) {
    if ((await bind(wanted)) === undefined) throw portTaken(wanted);
    return wanted;
  }
  const kept = Number(await readFile(portFile, "utf8").catch(() => ""));
  if (Number.isInteger(kept) && kept > 0 && (await bind(kept)) !== undefined) return kept;
  return freePort();
}

/** Remembers the port, so that addresses stay the same over restarts. */
export function keepPort(portFile: string, port: number): Promise<void> {
  return writeFile(portFile, `${port}\n`, { mode: 0o644 });
}

/** Binds a port on loopback for a moment; undefined when it is taken or not allowed. */
function bind(port: number): Promise<number | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(undefined));
    server.listen({ port, host: "127.0.0.1" }, () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" ? address?.port : undefined));
    });
  });
}
