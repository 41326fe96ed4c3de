import { constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { StringDecoder } from "node:string_decoder";
import type { ScriptMetric } from "./script-run.ts";

const chunkBytes = 256 * 1024;
const longestLine = 64 * 1024;
const mostFields = 50;
const longestName = 100;
const mostPoints = 100_000;

/**
 * Follows a file of JSON Lines such as {"step": 10, "loss": 0.31, "accuracy": 0.9} that a script appends to. Lines without a `step` count themselves. Half
 * lines wait for their end. What is no such line is told of once and passed over. The file is somebody else's: it is read only when it is a
 * plain file, and never more than 100 000 numbers of it.
 */
export class MetricsFile implements AsyncDisposable {
  readonly #path: string;
  readonly #onMetric: (point: ScriptMetric) => void;
  readonly #onProblem: (line: string) => void;
  readonly #decoder = new StringDecoder("utf8");
  #file: FileHandle | undefined;
  #at = 0;
  #rest = "";
  #isOverlong = false;
  #lines = 0;
  #points = 0;
  #told = false;

  constructor(o: { path: string; onMetric: (point: ScriptMetric) => void; onProblem: (line: string) => void }) {
    this.#path = o.path;
    this.#onMetric = o.onMetric;
    this.#onProblem = o.onProblem;
  }

  /** Reads what is new, but no more than a chunk. Returns whether there may be more. */
  async read(): Promise<boolean> {
    this.#file ??= await openPlainFile(this.#path);
    if (this.#file === undefined || this.#points >= mostPoints) return false;
    const { buffer, bytesRead } = await this.#file.read(Buffer.allocUnsafe(chunkBytes), 0, chunkBytes, this.#at);
    this.#at += bytesRead;
    const lines = this.#decoder.write(buffer.subarray(0, bytesRead)).split("\n");
    const rest = lines.pop() ?? "";
    for (const line of lines) this.#end(line);
    this.#keep(rest);
    return bytesRead === chunkBytes;
  }

  /** Reads to the end, and takes a last line without a line feed for a whole one. */
  async finish(): Promise<void> {
    while (await this.read()) {}
    if (this.#rest !== "" || this.#isOverlong) this.#end("");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file?.close();
  }

  #keep(part: string): void {
    this.#isOverlong ||= this.#rest.length + part.length > longestLine;
    this.#rest = this.#isOverlong ? "" : this.#rest + part;
  }

  #end(part: string): void {
    this.#keep(part);
    const [line, isOverlong] = [this.#rest.trim(), this.#isOverlong];
    this.#rest = "";
    this.#isOverlong = false;
    if (line === "" && !isOverlong) return;
    this.#lines += 1;
    const points = isOverlong ? undefined : parsePoints(line, this.#lines);
    if (points === undefined) this.#complain(line);
    for (const point of points ?? []) this.#tell(point);
  }

  #tell(point: ScriptMetric): void {
    if (this.#points >= mostPoints) return;
    this.#points += 1;
    this.#onMetric(point);
    if (this.#points === mostPoints) this.#onProblem(`After ${mostPoints} numbers the metrics file is not read on.`);
  }

  #complain(line: string): void {
    if (this.#told) return;
    this.#told = true;
    const shown = JSON.stringify(line.slice(0, 120)).toWellFormed();
    this.#onProblem(`Line ${this.#lines} of the metrics file is not like {"step": 1, "loss": 0.3}; it holds ${shown}.`);
  }
}

/** The numbers of a line; undefined when it is none. */
function parsePoints(line: string, number: number): readonly ScriptMetric[] | undefined {
  const fields = parseObject(line);
  if (fields === undefined) return undefined;
  const step = typeof fields.step === "number" && Number.isSafeInteger(fields.step) ? fields.step : number;
  return Object.entries(fields)
    .filter((field): field is [string, number] => field[0] !== "step" && Number.isFinite(field[1]))
    .slice(0, mostFields)
    .map(([name, value]) => ({ name: name.slice(0, longestName).toWellFormed(), step, value }));
}

function parseObject(line: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(line);
    const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
    return isObject ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

/** Opens what is there and a plain file; neither follows a link nor waits for a pipe. */
export async function openPlainFile(path: string): Promise<FileHandle | undefined> {
  let file: FileHandle;
  try {
    file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch {
    return undefined;
  }
  if ((await file.stat()).isFile()) return file;
  await file.close();
  return undefined;
}
