import { ErrorDetailSchema } from "@aimass/api/common";
import { AimassError, ConfigError } from "@aimass/core";
import { isMessage, toJson } from "@bufbuild/protobuf";
import { DurationSchema, TimestampSchema } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import { plainJson, plainLine, plainLines } from "./plain-text.ts";

/** Takes words, as a stream of the process does. */
export interface Words {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
}

/**
 * Where a command's words go: results to stdout, everything else to stderr. With `--json`, stdout holds exactly one JSON value (a line each for streams).
 * Whatever it is given may hold text of strangers: none of it commands a terminal, and none of it makes a line of its own.
 */
export class Output {
  readonly json: boolean;
  readonly #terminal: boolean;
  /** The line of progress that stands at the bottom. */
  #standing = "";

  readonly #out: Words;
  readonly #err: Words;

  /** `out` and `err`: where results and everything else go; the process's own when left out. */
  constructor({ json, out = process.stdout, err = process.stderr }: { json: boolean; out?: Words; err?: Words }) {
    this.json = json;
    this.#out = out;
    this.#err = err;
    this.#terminal = err.isTTY === true && process.env.NO_COLOR === undefined;
  }

  /** The result: as JSON, or as lines for a person, of which a string is one. */
  result(value: unknown, lines: () => string | readonly string[]): void {
    if (this.json) this.#out.write(`${plainJson(JSON.stringify(value, jsonValue, 2) ?? "null")}\n`);
    else {
      const text = lines();
      this.#out.write(`${(typeof text === "string" ? [text] : text).map(shown).join("\n")}\n`);
    }
  }

  /** One of many results: JSON on a line of its own, or a line for a person. */
  line(value: unknown, text: string): void {
    this.#out.write(`${this.json ? plainJson(JSON.stringify(value, jsonValue)) : shown(text)}\n`);
  }

  /** A remark for a person. */
  say(line: string): void {
    this.#write(shown(line));
  }

  /** What went wrong: as JSON the result, or lines for a person. */
  fail({ code, message }: Failure): void {
    this.settle();
    if (this.json) this.#out.write(`${plainJson(JSON.stringify({ error: { code, message } }, null, 2))}\n`);
    else this.#err.write(`error: ${plainLines(asTyped(message))}\n`);
  }

  #write(words: string): void {
    if (this.json) return;
    this.#err.write(this.#standing === "" ? `${words}\n` : `\r\x1b[K${words}\n${this.#standing}`);
  }

  /** Leaves progress that did not come to its end as it stands; words go below it. */
  settle(): void {
    if (this.#standing !== "") this.#err.write("\n");
    this.#standing = "";
  }

  /** What to do next, ready to paste. */
  hint(line: string): void {
    this.#write(this.#terminal ? `\x1b[2m${shown(line)}\x1b[0m` : shown(line));
  }

  /** A progress bar on a terminal, silent elsewhere; call the returned function with the share done, then with 1. */
  progress(label: string): (share: number, note?: string) => void {
    if (!this.#terminal || this.json) return () => {};
    const width = 24;
    return (share, note = "") => {
      const filled = Math.round(Math.min(Math.max(share, 0), 1) * width);
      const bar = "█".repeat(filled) + "░".repeat(width - filled);
      const line = `${plainLine(label)} ${bar} ${(share * 100).toFixed(0).padStart(3)} % ${plainLine(note)}`;
      // A line that wraps could not be taken back.
      const shown = line.slice(0, Math.max(20, (this.#err.columns ?? 80) - 1));
      this.#standing = share >= 1 ? "" : shown;
      this.#err.write(`\r\x1b[K${shown}${share >= 1 ? "\n" : ""}`);
    };
  }
}

function shown(line: string): string {
  return plainLine(asTyped(line));
}

/** Commands in words as this person has to type them: without an installation, `npx aimass …`. */
export function asTyped(text: string): string {
  return process.env.npm_command === undefined
    ? text
    : text.replace(/(?<!npx |[\w./@-])aimass (?=[a-z])/g, "npx aimass ");
}

/** Lines of aligned columns with a header. */
export function table(header: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const plain = rows.map((row) => row.map(plainLine));
  const widths = header.map((name, i) => Math.max(name.length, ...plain.map((row) => (row[i] ?? "").length)));
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, i) => cell.padEnd(widths[i] as number))
      .join("  ")
      .trimEnd();
  return [line(header), ...plain.map(line)];
}

/** What went wrong, as a person should read it, and the status to exit with. */
export interface Failure {
  readonly message: string;
  readonly code: string;
  readonly exitStatus: number;
}

/** Exit statuses: 1 anything, 2 wrong usage, 3 not signed in or not allowed, 4 not found, 5 not reachable. */
export function describeFailure(error: unknown, server: string): Failure {
  if (error instanceof ConfigError) return { message: error.message, code: "INVALID_ARGUMENT", exitStatus: 2 };
  if (error instanceof AimassError)
    return { message: error.advice, code: error.code, exitStatus: exitStatuses[error.code] ?? 1 };
  const connect = ConnectError.from(error);
  const code = codeName(connect.code);
  const remedy = connect.findDetails(ErrorDetailSchema)[0]?.remedy;
  if (connect.code === Code.Unavailable && isConnectFailure(connect)) {
    return {
      message: `Nothing answers at ${server}. Start a mesh with \`npm start\`, or name another server with --server URL.`,
      code,
      exitStatus: 5,
    };
  }
  if (connect.code === Code.Unauthenticated && remedy === undefined) {
    return {
      message: `${connect.rawMessage} Sign in with \`aimass login\`, or set AIMASS_API_KEY.`,
      code,
      exitStatus: 3,
    };
  }
  const { rawMessage } = connect;
  // The server's message holds the remedy already, for clients that do not read details.
  const message = remedy === undefined || rawMessage.includes(remedy) ? rawMessage : `${rawMessage} ${remedy}`;
  return { message, code, exitStatus: exitStatuses[code] ?? 1 };
}

const exitStatuses: Readonly<Record<string, number>> = {
  INVALID_ARGUMENT: 2,
  UNAUTHENTICATED: 3,
  PERMISSION_DENIED: 3,
  NOT_FOUND: 4,
  UNAVAILABLE: 5,
};

function codeName(code: Code): string {
  return Code[code].replace(/(?<=[a-z])([A-Z])/g, "_$1").toUpperCase();
}

/** A refused or reset connection, as opposed to a service that answers UNAVAILABLE. */
function isConnectFailure(error: ConnectError): boolean {
  return /ECONNREFUSED|ENOTFOUND|EHOSTUNREACH|ECONNRESET/.test(
    `${error.rawMessage} ${String((error.cause as NodeJS.ErrnoException | undefined)?.code)}`,
  );
}

/** What JSON has no form for: numbers where they fit, bytes as hexadecimal digits, moments as RFC 3339, spans as seconds ("3.5s"). */
function jsonValue(key: string, value: unknown): unknown {
  if (key === "$typeName" || key === "$unknown") return undefined;
  if (typeof value === "bigint") return Number.isSafeInteger(Number(value)) ? Number(value) : value.toString();
  if (isMessage(value, TimestampSchema)) return toJson(TimestampSchema, value);
  if (isMessage(value, DurationSchema)) return toJson(DurationSchema, value);
  if (value instanceof Uint8Array) return Buffer.from(value).toString("hex");
  return value;
}
