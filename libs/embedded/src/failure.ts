import { AimassError } from "@aimass/core";

const ownServer = "Or set AIMASS_DATABASE_URL to a PostgreSQL of your own (15 to 18).";

/** What stood around a failure. */
export interface FailureContext {
  /** What was being done, as "could not …". */
  readonly what: string;
  readonly directory: string;
  readonly port?: number;
  /** What the program wrote. */
  readonly output: string;
}

interface KnownFailure {
  readonly pattern: RegExp;
  readonly explain: (context: FailureContext) => AimassError;
}

const known: readonly KnownFailure[] = [
  {
    pattern: /shared memory (segment|block)/i,
    explain: (c) =>
      new AimassError("RESOURCE_EXHAUSTED", "PostgreSQL could not get its shared memory from the system.", {
        reason: "SHARED_MEMORY",
        remedy: `End other PostgreSQL servers that use ${c.directory}, or raise the system's shared memory limits. ${ownServer}`,
      }),
  },
  {
    pattern: /no space left on device|disk quota exceeded|ENOSPC|EDQUOT/i,
    explain: (c) => diskFull(c.directory),
  },
  {
    pattern: /address already in use/i,
    explain: (c) => portTaken(c.port ?? 0),
  },
  {
    pattern: /error while loading shared libraries: (\S+?):|Library not loaded: (\S+)/,
    explain: (c) =>
      new AimassError("FAILED_PRECONDITION", "The embedded PostgreSQL needs a library that this system lacks.", {
        reason: "LIBRARY_MISSING",
        remedy: `Install the library that the next line names. ${ownServer}\n${lastLine(c.output)}`,
      }),
  },
  {
    pattern: /incompatible with server|was initialized by PostgreSQL version/i,
    explain: (c) => wrongVersion(c.directory, "another version"),
  },
  {
    pattern: /permission denied|EACCES|EPERM/i,
    explain: (c) =>
      new AimassError("PERMISSION_DENIED", `The embedded PostgreSQL may not use ${c.directory}.`, {
        reason: "DIRECTORY_CLOSED",
        remedy: `Choose a data directory that this user may write to. ${ownServer}\n${lastLine(c.output)}`,
      }),
  },
];

/** One sentence and a remedy for what initdb, postgres or the file system said. */
export function explainFailure(context: FailureContext, cause?: unknown): AimassError {
  const match = known.find(({ pattern }) => pattern.test(context.output));
  if (match !== undefined) return match.explain(context);
  const said = lastLine(context.output);
  return new AimassError(
    "INTERNAL",
    `The embedded PostgreSQL ${context.what}.${said === "" ? "" : ` It said: ${said}`}`,
    {
      remedy: `Its data is in ${context.directory}. ${ownServer}`,
      cause,
    },
  );
}

/** The refusal of a second start. */
export function directoryInUse(directory: string, pid?: number): AimassError {
  const by = pid === undefined ? "another process" : `process ${pid}`;
  return new AimassError("ALREADY_EXISTS", `The data directory ${directory} is already in use by ${by}.`, {
    reason: "DIRECTORY_IN_USE",
    remedy: "Stop that one first, or choose another data directory.",
  });
}

export function portTaken(port: number): AimassError {
  return new AimassError("FAILED_PRECONDITION", `Port ${port} on 127.0.0.1 is taken by another program.`, {
    reason: "PORT_TAKEN",
    remedy: "Choose another port for PostgreSQL, or none, so that a free one is taken.",
  });
}

export function wrongVersion(directory: string, version: string): AimassError {
  return new AimassError("FAILED_PRECONDITION", `The data in ${directory} is PostgreSQL ${version}, not 18.`, {
    reason: "DATA_VERSION",
    remedy: "Dump it with that version and load it into a new data directory, or choose another directory.",
  });
}

function diskFull(directory: string): AimassError {
  return new AimassError("RESOURCE_EXHAUSTED", `The disk that holds ${directory} is full.`, {
    reason: "DISK_FULL",
    remedy:
      "Free some space (a new database takes 50 MB, a copy of the binaries 60 MB), or choose another data directory.",
  });
}

function lastLine(output: string): string {
  const lines = output.split("\n").filter((line) => line.trim() !== "");
  return (lines.findLast((line) => /FATAL|PANIC|error|ERROR/.test(line)) ?? lines.at(-1) ?? "").trim();
}
