import { availableParallelism } from "node:os";
import { AimassError } from "@aimass/core";
import type { Command } from "commander";
import { dataPath } from "../up/data-directory.ts";
import { Mesh, type MeshEvent, type MeshOptions } from "../up/mesh.ts";
import { action, defaultServer } from "./context.ts";

export interface UpOptions {
  readonly data: string;
  readonly port: string;
  readonly host: string;
  readonly replicas: string;
  /** False with --no-triton-ports. */
  readonly tritonPorts: boolean;
}

/** Where the embedded mesh keeps its data when nobody says. */
export const defaultData = () => process.env.AIMASS_DATA ?? ".aimass";

export function addUp(program: Command): void {
  withUpOptions(
    program
      .command("up")
      .description("run a whole mesh on this machine: PostgreSQL, every service, replicas; Ctrl-C stops it"),
  ).action(
    action<UpOptions>(async ({ output }, options) => {
      const startedAt = performance.now();
      const mesh = await Mesh.start({
        ...meshOptions(options),
        onProgress: (event) => output.say(describeEvent(event)),
      });
      const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
      const data = {
        data: mesh.data.path,
        passwordFile: mesh.data.adminPasswordFile,
        ...(mesh.databasePlace && { database: mesh.databasePlace }),
      };
      output.result({ url: mesh.url(), listeners: mesh.listeners, ...data, seconds: Number(seconds) }, () => [
        "",
        `AI Mass is ready on ${mesh.url()} after ${seconds} s. Data: ${mesh.data.path}`,
        ...(mesh.databasePlace === undefined ? [] : [`Its database is in ${mesh.databasePlace}; back up both.`]),
        `Listens on ${mesh.listeners.join(", ")}.`,
        ...openDoors(mesh),
        "",
        ...addressToSet(mesh.url()),
        `  sign in      npx aimass login --password-file ${mesh.data.adminPasswordFile}`,
        "  try it       npx aimass run model.onnx        npx aimass status        npx aimass --help",
        `  console      ${mesh.url()}/console/   (user admin, password in the file above)`,
        "  stop         Ctrl-C",
      ]);
      await untilStopped();
      output.say("");
      output.say("Stopping …");
      await mesh.stop();
      output.say("Stopped; nothing is left running.");
    }),
  );
}

/** The options that `up` and `demo` share. */
export function withUpOptions(command: Command): Command {
  return command
    .option("--data <dir>", "where everything is kept", defaultData())
    .option("--port <n>", "the router's port; 0 takes a free one", "5000")
    .option("--host <address>", "the address to listen on", "127.0.0.1")
    .option("--no-triton-ports", "do not also listen on 8000 and 8001, where Triton's clients look")
    .option("--replicas <n>", "replica processes, each on its share of the CPUs", "2");
}

/** Checked options for a mesh. Errors: INVALID_ARGUMENT. */
export function meshOptions(o: UpOptions): Pick<MeshOptions, "data" | "port" | "host" | "replicas" | "tritonPorts"> {
  const port = Number(o.port);
  if (!Number.isInteger(port) || port < 0 || port > 65535)
    throw new AimassError("INVALID_ARGUMENT", `--port is "${o.port}".`, { remedy: "Give a number from 0 to 65535." });
  const replicas = Number(o.replicas);
  const most = Math.max(8, availableParallelism());
  if (!Number.isInteger(replicas) || replicas < 1 || replicas > most)
    throw new AimassError("INVALID_ARGUMENT", `--replicas is "${o.replicas}".`, {
      remedy: `Give a number from 1 to ${most}.`,
    });
  return { data: dataPath(o.data), port, host: o.host, replicas, tritonPorts: o.tritonPorts };
}

/** One line for a person. */
export function describeEvent(event: MeshEvent): string {
  switch (event.kind) {
    case "ready":
      return `  ${event.part.padEnd(12)} ready after ${(event.afterMs / 1000).toFixed(1)} s`;
    case "restarting":
      return `  ${event.part.padEnd(12)} ${event.reason}; restarting`;
    case "warning":
      return `  note: ${event.message}`;
  }
}

/** What a person has to say once before the commands below find this mesh: nothing, where commands look by themselves. */
export function addressToSet(url: string): string[] {
  const found = process.env.AIMASS_SERVER ?? defaultServer;
  return found === url ? [] : [`  first        export AIMASS_SERVER=${url}   (commands go to ${found} otherwise)`];
}

/** What whoever opens a mesh to others should know. */
export function openDoors(mesh: Pick<Mesh, "host">): string[] {
  const isLoopback = /^(localhost|127\.\d+\.\d+\.\d+|::1)$/.test(mesh.host);
  const hasTls = ["AIMASS_TLS_CERT", "AIMASS_TLS_CERT_FILE"].some((name) => Boolean(process.env[name]));
  if (isLoopback || hasTls) return [];
  return [
    `WARNING: others can reach ${mesh.host}, and there is no TLS: passwords, keys and data go over the network in clear text.`,
    "  Set AIMASS_TLS_CERT_FILE and AIMASS_TLS_KEY_FILE, or put a proxy with TLS in front; without need, leave --host out.",
  ];
}

/** A terminal's Ctrl-C may reach us twice, from the terminal and from the launcher: within this time it is one. */
const sameSignalMs = 1000;

/** Resolves at the first Ctrl-C or SIGTERM, or when whoever started the process is gone; a later Ctrl-C ends the process at once. */
export function untilStopped(): Promise<void> {
  return new Promise((resolve_) => {
    let stoppedAt: number | undefined;
    const stop = () => {
      if (stoppedAt !== undefined) {
        if (performance.now() - stoppedAt > sameSignalMs) process.exit(130);
        return;
      }
      stoppedAt = performance.now();
      // Listening for its end keeps the channel, and with it this process, alive.
      if (process.connected) process.disconnect();
      resolve_();
    };
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, stop);
    process.once("disconnect", stop);
    // The event is told once, and not to those who come late.
    if (process.connected === false) stop();
  });
}
