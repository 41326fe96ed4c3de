import { systemClock } from "@aimass/core";
import type { Command } from "commander";
import { examine } from "../doctor/examine.ts";
import type { Finding } from "../doctor/finding.ts";
import { byteCount } from "../training/arguments.ts";
import { dataPath } from "../up/data-directory.ts";
import { action } from "./context.ts";
import { meshOptions, type UpOptions, withUpOptions } from "./up.ts";

interface DoctorOptions extends UpOptions {
  readonly leastDisk: string;
  readonly leastMemory: string;
  readonly server?: string;
}

/** `doctor`: exit status 1 where there is a problem. */
export function addDoctor(program: Command): void {
  withUpOptions(
    program
      .command("doctor")
      .description("what is wrong on this machine, or with the mesh, and how to mend it; changes nothing")
      .option("--least-disk <size>", "free space that counts as enough", "1GiB")
      .option("--least-memory <size>", "available memory that counts as enough", "2GiB"),
  ).action(
    action<DoctorOptions>(async ({ connection, output }, options) => {
      const { AIMASS_SERVER, AIMASS_DATABASE_URL, AIMASS_DATABASE_URLS, PATH = "" } = process.env;
      const findings = await examine({
        ...meshOptions(options),
        tritonPorts: options.tritonPorts,
        host: options.host,
        port: Number(options.port),
        leastDiskBytes: byteCount("--least-disk", options.leastDisk),
        leastMemoryBytes: byteCount("--least-memory", options.leastMemory),
        connection,
        serverNamed: Boolean(options.server ?? AIMASS_SERVER),
        databaseUrl: AIMASS_DATABASE_URL || undefined,
        databaseUrls: AIMASS_DATABASE_URLS ? dataPath(AIMASS_DATABASE_URLS) : undefined,
        path: PATH,
        clock: systemClock,
      });
      const problems = findings.filter(({ state }) => state === "problem").length;
      output.result({ healthy: problems === 0, findings }, () => [
        ...findings.flatMap(describe),
        "",
        verdict(findings),
      ]);
      if (problems > 0) process.exitCode = 1;
    }),
  );
}

function describe({ check, state, found, remedy }: Finding): string[] {
  const word = { ok: "ok", warning: "note", problem: "WRONG" }[state];
  return [
    `${word.padEnd(6)} ${check.padEnd(15)} ${found}`,
    ...(remedy === undefined ? [] : [`${" ".repeat(23)}→ ${remedy}`]),
  ];
}

function verdict(findings: readonly Finding[]): string {
  const count = (state: Finding["state"]) => findings.filter((finding) => finding.state === state).length;
  if (count("problem") > 0) return `${count("problem")} of ${findings.length} checks found something wrong.`;
  const notes = count("warning");
  return notes === 0 ? "Nothing is wrong." : `Nothing is wrong that keeps a mesh from running; ${notes} notes.`;
}
