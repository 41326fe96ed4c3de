import { AimassError, isFree } from "@aimass/core";

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
