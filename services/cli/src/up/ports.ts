import { createServer } from "node:net";
import { AimassError } from "@aimass/core";

/** A port on loopback that nobody listens on right now. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}

/** Whether a port can be listened on. */
export function isFree(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(port, host, () => server.close(() => resolve(true)));
  });
}

/** Errors: FAILED_PRECONDITION with the remedy when the port is taken. */
export async function assertFree(host: string, port: number): Promise<void> {
  if (await isFree(host, port)) return;
  const airPlay = process.platform === "darwin" && port === 5000;
  throw new AimassError(
    "FAILED_PRECONDITION",
    `Port ${port} is taken${airPlay ? "; on macOS, AirPlay Receiver listens there" : ""}.`,
    {
      remedy: airPlay
        ? "Turn AirPlay Receiver off in System Settings → General → AirDrop & Handoff, or use another port: --port 5050."
        : `Stop what listens there, or use another port: --port ${port + 50}.`,
    },
  );
}
