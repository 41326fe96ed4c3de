import { join } from "node:path";
import type { Clock } from "@aimass/core";
import type { Connection } from "../client/connection.ts";
import { supervisorOf } from "../up/data-directory.ts";
import { judgeClock, lastWrittenMs } from "./clock.ts";
import { checkDataDirectory } from "./data-folder.ts";
import { checkDatabase } from "./database.ts";
import type { Finding } from "./finding.ts";
import { checkDisk, checkMemory, judgeRuntime, thisRuntime } from "./machine.ts";
import { checkMesh } from "./mesh.ts";
import { checkPorts } from "./ports.ts";
import { checkSandbox } from "./sandbox.ts";

/** A mesh that runs or is to run: where, and what it needs. */
export interface Examination {
  /** The data directory, absolute. */
  readonly data: string;
  readonly host: string;
  readonly port: number;
  readonly tritonPorts: boolean;
  readonly leastDiskBytes: number;
  readonly leastMemoryBytes: number;
  readonly connection: Connection;
  /** Whether somebody named the server. */
  readonly serverNamed: boolean;
  readonly databaseUrl: string | undefined;
  readonly databaseUrls: string | undefined;
  readonly path: string;
  readonly clock: Clock;
}

/** Looks at everything that a mesh needs on this machine, and at the mesh. Changes nothing. */
export async function examine(o: Examination): Promise<Finding[]> {
  const supervisor = await supervisorOf(o.data);
  const logs = supervisor === undefined ? undefined : join(o.data, "logs");
  const expected = o.serverNamed || supervisor !== undefined;
  const { findings: mesh, aheadMs } = await checkMesh({ connection: o.connection, expected, logs, clock: o.clock });
  const writtenMs = await lastWrittenMs(o.data);
  const nowMs = o.clock.now();
  const serverMs = aheadMs === undefined ? undefined : nowMs + aheadMs;
  const clock = judgeClock({ nowMs, serverMs, writtenMs });
  // A mesh that answers needs the memory no more.
  const memory = supervisor === undefined ? [checkMemory(o.leastMemoryBytes)] : [];
  return [
    judgeRuntime(thisRuntime()),
    ...memory,
    await checkDisk(o.data, o.leastDiskBytes),
    await checkDataDirectory(o.data),
    clock,
    await checkDatabase({ directory: o.data, url: o.databaseUrl, urls: o.databaseUrls }),
    ...(await checkPorts({ host: o.host, port: o.port, tritonPorts: o.tritonPorts, supervisor })),
    await checkSandbox(process.platform, o.path),
    ...mesh,
  ];
}
