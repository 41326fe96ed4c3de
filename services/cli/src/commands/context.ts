import { inspect } from "node:util";
import { ErrorDetailSchema } from "@aimass/api/common";
import { AimassError } from "@aimass/core";
import { ConnectError } from "@connectrpc/connect";
import type { Command } from "commander";
import { Connection, refusedByServer } from "../client/connection.ts";
import { CredentialsFile } from "../client/credentials.ts";
import { describeFailure, Output } from "../output/output.ts";
import { plainLines } from "../output/plain-text.ts";

/** Where a mesh is looked for when nobody says. */
export const defaultServer = "http://127.0.0.1:5000";

/** What every command gets. */
export interface CommandContext {
  readonly server: string;
  readonly connection: Connection;
  readonly output: Output;
  readonly credentials: CredentialsFile;
}

interface GlobalOptions {
  readonly server?: string;
  readonly json?: boolean;
  readonly apiKey?: string;
}

/**
 * Wraps a command's work: builds its context from the global options and turns whatever it throws into one message and an exit status.
 * `work` gets the context, the command's options, and its arguments.
 */
export function action<O extends object>(work: (context: CommandContext, options: O, args: string[]) => Promise<void>) {
  return async (...parameters: unknown[]): Promise<void> => {
    const command = parameters.at(-1) as Command;
    const options = command.optsWithGlobals<GlobalOptions>();
    const output = new Output({ json: options.json ?? false });
    const server = options.server ?? process.env.AIMASS_SERVER ?? defaultServer;
    try {
      const credentials = new CredentialsFile();
      const apiKey = options.apiKey ?? process.env.AIMASS_API_KEY;
      using connection = new Connection(
        server,
        apiKey === undefined ? { kind: "session", file: credentials } : { kind: "api-key", key: apiKey },
      );
      const args = command.processedArgs.flat().filter((arg): arg is string => arg !== undefined);
      try {
        await work({ server, connection, output, credentials }, options as unknown as O, args);
      } catch (error) {
        throw connection.isSignedIn ? error : whenNotSignedIn(error, server);
      }
    } catch (error) {
      const failure = describeFailure(error, server);
      output.fail(failure);
      if (process.env.AIMASS_STACKS === "true") process.stderr.write(`${plainLines(inspect(error))}\n`);
      process.exitCode = failure.exitStatus;
    }
  };
}

/** To strangers, what they may not see looks like what does not exist: say why first. */
function whenNotSignedIn(error: unknown, server: string): unknown {
  const hidden = ["UNAUTHENTICATED", "PERMISSION_DENIED", "NOT_FOUND"];
  const isAnswer = error instanceof ConnectError ? !isSignInFailure(error) : isRestAnswer(error);
  if (!isAnswer || !hidden.includes(describeFailure(error, server).code)) return error;
  return new AimassError("UNAUTHENTICATED", `You are not signed in to ${server}.`, {
    remedy: "Sign in with `aimass login`, or set AIMASS_API_KEY.",
    cause: error,
  });
}

function isSignInFailure(error: ConnectError): boolean {
  return error.findDetails(ErrorDetailSchema)[0]?.reason === "SIGN_IN_FAILED";
}

function isRestAnswer(error: unknown): boolean {
  return error instanceof AimassError && error.reason === refusedByServer;
}

/** What is named like a model: by "name", or by "project.name". */
export type NamedThing = "model" | "dataset" | "rule";

/** Splits "project.model" (or "model" in the default project) and checks it. Errors: INVALID_ARGUMENT. */
export function modelArgument(text: string, thing: NamedThing = "model"): { project: string; model: string } {
  const match = /^(?:([a-z][a-z0-9_-]{0,63})\.)?([a-zA-Z0-9][a-zA-Z0-9_-]{0,127})$/.exec(text);
  if (match === null) {
    throw new AimassError("INVALID_ARGUMENT", `"${text}" is not a ${thing} name.`, {
      remedy: `A ${thing} is "${thing}" or "project.${thing}": letters, digits, "-" and "_".`,
    });
  }
  return { project: match[1] ?? "default", model: match[2] as string };
}

/** Splits "model:version" or "model@alias"; the version part is empty when missing. */
export function versionArgument(
  text: string,
  thing: NamedThing = "model",
): { project: string; model: string; version: string } {
  const at = text.search(/[:@]/);
  return at === -1
    ? { ...modelArgument(text, thing), version: "" }
    : { ...modelArgument(text.slice(0, at), thing), version: text.slice(at + 1) };
}

/** A whole version number. Errors: INVALID_ARGUMENT. */
export function versionNumber(text: string): bigint {
  if (text === "")
    throw new AimassError("INVALID_ARGUMENT", "No version was named.", {
      remedy: 'Put its number behind the name: "model:1". See them with `aimass models show MODEL`.',
    });
  if (!/^[1-9]\d{0,17}$/.test(text))
    throw new AimassError("INVALID_ARGUMENT", `"${text}" is not a version number.`, {
      remedy: "Versions are 1, 2, 3 …; see them with `aimass models show MODEL`.",
    });
  return BigInt(text);
}

/** "key=value" pairs as a record. Errors: INVALID_ARGUMENT. */
export function pairs(items: readonly string[] | undefined): Record<string, string> {
  return Object.fromEntries(
    (items ?? []).map((item) => {
      const at = item.indexOf("=");
      if (at < 1)
        throw new AimassError("INVALID_ARGUMENT", `"${item}" is not a pair.`, { remedy: "Write name=value." });
      return [item.slice(0, at), item.slice(at + 1)];
    }),
  );
}
