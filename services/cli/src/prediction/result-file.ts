import { type FileHandle, open, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { AimassError, takeProcessLock } from "@aimass/core";
import type { OutputColumns } from "./prediction-columns.ts";
import { writing } from "./write-failure.ts";

/** How far a prediction has come: as much of the partial files as belongs to rows that are done. Plain JSON. */
export interface Progress {
  /** Rows of the input that are done, refused ones too. */
  readonly rows: number;
  readonly refused: number;
  /** Undefined before a row was predicted. */
  readonly columns: readonly OutputColumns[] | undefined;
  /** Rows by the version that answered them. */
  readonly versions: Readonly<Record<string, number>>;
}

/** Takes results in order. */
export interface ResultSink extends AsyncDisposable {
  /** What was there already when it was opened. */
  readonly before: Progress | undefined;
  /** Where refused rows go; undefined: nowhere. */
  readonly errorsPath: string | undefined;
  /** Where what is done stays when it does not come to its end; undefined: nowhere, or nothing is done yet. */
  readonly partialPath: string | undefined;
  /** Takes lines of results and of refused rows, and how far that is. */
  write(results: string, errors: string, progress: Progress): Promise<void>;
  /** Gives the files their names. */
  finish(): Promise<void>;
}

interface State extends Progress {
  /** What the rows are of and how they are written; another run may only go on with the same. */
  readonly task: string;
  readonly resultBytes: number;
  readonly errorBytes: number;
}

/** A run that is killed loses no more than what was done in such a time. */
const saveEveryMs = 1000;

/**
 * A file of results that has its name when it is whole: until then it is PATH.partial, with what is done in PATH.partial.json. Refused rows are in PATH.errors, which
 * a run without any removes.
 */
export class ResultFile implements ResultSink {
  readonly before: Progress | undefined;
  readonly errorsPath: string;
  readonly #path: string;
  readonly #task: string;
  readonly #results: FileHandle;
  readonly #errors: FileHandle;
  readonly #closing: AsyncDisposableStack;
  #state: State;
  #savedAt = 0;

  private constructor(path: string, opened: Opened) {
    this.#path = path;
    this.errorsPath = errorsOf(path);
    this.#task = opened.state.task;
    this.#results = opened.results;
    this.#errors = opened.errors;
    this.#closing = opened.closing;
    this.#state = opened.state;
    this.before = opened.state.rows > 0 ? opened.state : undefined;
  }

  /**
   * `task`: what is predicted, by which a later run knows its own. `resume`: to go on where an earlier run was ended; from the beginning where there is none.
   * Errors: FAILED_PRECONDITION when another process writes it, or what is there is of another task; NOT_FOUND without its folder.
   */
  static open(path: string, options: { task: string; resume: boolean }): Promise<ResultFile> {
    return writing(path, () => ResultFile.#open(path, options));
  }

  static async #open(path: string, { task, resume }: { task: string; resume: boolean }): Promise<ResultFile> {
    await using stack = new AsyncDisposableStack();
    await assertFolder(path);
    const taken = await takeProcessLock(`${path}.partial.lock`);
    if (taken.kind === "held") throw inUse(path, taken.pid);
    stack.defer(() => taken.lock.release());
    const saved = resume ? await savedState(path, task) : undefined;
    // The files begin anew: what an earlier run noted of them holds no more.
    if (saved === undefined) await rm(stateOf(path), { force: true });
    const state = saved ?? newState(task);
    const results = await openAt(partialOf(path), state.resultBytes);
    stack.defer(() => results.close());
    const errors = await openAt(partialOf(errorsOf(path)), state.errorBytes);
    stack.defer(() => errors.close());
    return new ResultFile(path, { results, errors, state, closing: stack.move() });
  }

  /** Every file that a result of this name is made of. */
  static filesOf(path: string): readonly string[] {
    const partial = [partialOf(path), partialOf(errorsOf(path)), stateOf(path), `${stateOf(path)}.new`];
    return [path, errorsOf(path), ...partial];
  }

  get partialPath(): string | undefined {
    return this.#state.rows > 0 ? partialOf(this.#path) : undefined;
  }

  write(results: string, errors: string, progress: Progress): Promise<void> {
    return writing(this.#path, () => this.#write(results, errors, progress));
  }

  finish(): Promise<void> {
    return writing(this.#path, () => this.#finish());
  }

  async #write(results: string, errors: string, progress: Progress): Promise<void> {
    const [resultBytes, errorBytes] = [Buffer.from(results), Buffer.from(errors)];
    await writeAll(this.#results, resultBytes, this.#state.resultBytes);
    await writeAll(this.#errors, errorBytes, this.#state.errorBytes);
    this.#state = {
      ...progress,
      task: this.#task,
      resultBytes: this.#state.resultBytes + resultBytes.length,
      errorBytes: this.#state.errorBytes + errorBytes.length,
    };
    if (performance.now() - this.#savedAt < saveEveryMs) return;
    await this.#save();
  }

  async #finish(): Promise<void> {
    await this.#results.sync();
    await this.#errors.sync();
    const { errorsPath } = this;
    if (this.#state.errorBytes > 0) await rename(partialOf(errorsPath), errorsPath);
    else for (const name of [partialOf(errorsPath), errorsPath]) await rm(name, { force: true });
    await rename(partialOf(this.#path), this.#path);
    for (const name of [stateOf(this.#path), `${stateOf(this.#path)}.new`]) await rm(name, { force: true });
    this.#state = newState(this.#task);
  }

  /** What is done stays, for a run that goes on. */
  async [Symbol.asyncDispose](): Promise<void> {
    await using _ = this.#closing;
    // Where there is no room for a new state, the one before still holds.
    if (this.#state.rows > 0) return await this.#save().catch(() => {});
    for (const name of [this.#path, this.errorsPath]) await rm(partialOf(name), { force: true });
  }

  /** The state never says more than what the files hold, also when the machine goes down. */
  async #save(): Promise<void> {
    await this.#results.datasync();
    await this.#errors.datasync();
    const temporary = `${stateOf(this.#path)}.new`;
    await writeFile(temporary, JSON.stringify(this.#state));
    await rename(temporary, stateOf(this.#path));
    this.#savedAt = performance.now();
  }
}

interface Opened {
  readonly results: FileHandle;
  readonly errors: FileHandle;
  readonly state: State;
  readonly closing: AsyncDisposableStack;
}

const partialOf = (path: string) => `${path}.partial`;
const errorsOf = (path: string) => `${path}.errors`;
const stateOf = (path: string) => `${path}.partial.json`;

function newState(task: string): State {
  return { task, rows: 0, refused: 0, columns: undefined, versions: {}, resultBytes: 0, errorBytes: 0 };
}

async function savedState(path: string, task: string): Promise<State | undefined> {
  const text = await readFile(stateOf(path), "utf8").catch(() => undefined);
  if (text === undefined) return undefined;
  const state = parsed(text);
  const [results, errors] = await Promise.all([sizeOf(partialOf(path)), sizeOf(partialOf(errorsOf(path)))]);
  const isWhole = state !== undefined && results >= state.resultBytes && errors >= state.errorBytes;
  if (isWhole && state.task === task) return state;
  throw new AimassError(
    "FAILED_PRECONDITION",
    isWhole
      ? `${partialOf(path)} was begun with another model, other options, or a file that has changed since.`
      : `What is left of ${path} is damaged.`,
    { remedy: "Give what it was begun with, or leave out --resume to begin anew." },
  );
}

function parsed(text: string): State | undefined {
  try {
    const state = JSON.parse(text) as State;
    return typeof state.task === "string" && Number.isSafeInteger(state.rows) ? state : undefined;
  } catch {
    return undefined;
  }
}

async function sizeOf(path: string): Promise<number> {
  return (await stat(path).catch(() => undefined))?.size ?? 0;
}

/** Rows that came after the state was saved are predicted again. */
async function openAt(path: string, bytes: number): Promise<FileHandle> {
  const handle = await open(path, bytes === 0 ? "w" : "r+");
  await handle.truncate(bytes);
  return handle;
}

async function writeAll(handle: FileHandle, bytes: Buffer, at: number): Promise<void> {
  for (let written = 0; written < bytes.length; )
    written += (await handle.write(bytes, written, bytes.length - written, at + written)).bytesWritten;
}

async function assertFolder(path: string): Promise<void> {
  const folder = dirname(resolve(path));
  if ((await stat(folder).catch(() => undefined))?.isDirectory()) return;
  throw new AimassError("NOT_FOUND", `There is no folder ${folder}.`, { remedy: "Make it, or name another place." });
}

function inUse(path: string, pid: number | undefined): AimassError {
  const who = pid === undefined ? "Another process" : `Process ${pid}`;
  return new AimassError("FAILED_PRECONDITION", `${who} writes ${path}.`, {
    remedy: "Let it end, or name another file with -o.",
  });
}
