import { listenFailure } from "@aimass/core";
import { type Finding, ok, problem, warning } from "./finding.ts";

export interface PortsOptions {
  readonly host: string;
  /** The router's; 0 is whatever is free. */
  readonly port: number;
  readonly tritonPorts: boolean;
  /** The process of the mesh that runs on the data directory: what it holds is not in its way. */
  readonly supervisor: number | undefined;
}

/** Whether the ports of a mesh can be listened on. */
export async function checkPorts({ host, port, tritonPorts, supervisor }: PortsOptions): Promise<Finding[]> {
  if (supervisor !== undefined) return [ok("ports", `The mesh of process ${supervisor} runs and holds its own.`)];
  const findings: Finding[] = [];
  if (port !== 0)
    findings.push(
      await checkPort(host, port, problem, `Stop what listens there, or use another: --port ${port + 50}.`),
    );
  for (const triton of tritonPorts ? [8000, 8001] : []) {
    const remedy = "Everything is on the router's port too: leave it, or stop what listens there.";
    findings.push(await checkPort(host, triton, warning, remedy));
  }
  return findings;
}

async function checkPort(host: string, port: number, judge: typeof problem, remedy: string): Promise<Finding> {
  const check = `port ${port}`;
  const failure = await listenFailure(host, port);
  switch (failure) {
    case undefined:
      return ok(check, `${host}:${port} is free.`);
    case "EADDRINUSE":
      return judge(check, `${host}:${port} is taken.`, remedy);
    case "EACCES":
      return judge(
        check,
        `${host}:${port} is for privileged programs.`,
        "Use a port from 1024 on, or give the right to bind it.",
      );
    case "EADDRNOTAVAIL":
    case "ENOTFOUND":
      return judge(
        check,
        `${host} is no address of this machine.`,
        "Name one that is with --host, for instance 127.0.0.1 or 0.0.0.0.",
      );
    default:
      return judge(check, `${host}:${port} cannot be listened on (${failure}).`, remedy);
  }
}
