import { mkdir, mkdtemp, readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";

/** Older leftovers of processes that died are removed at start. */
const leftoverMs = 24 * 3600_000;

/** A place for bundles under inspection: one directory each, gone when the inspection is over. */
export class WorkDirectory {
  readonly #parent: string;

  constructor(parent: string) {
    this.#parent = parent;
  }

  /** Removes what processes left behind that could not clean up. */
  async sweep(nowMs: number): Promise<void> {
    await mkdir(this.#parent, { recursive: true, mode: 0o700 });
    for (const name of await readdir(this.#parent)) {
      const path = join(this.#parent, name);
      const found = await stat(path).catch(() => undefined);
      if (found !== undefined && nowMs - found.mtimeMs > leftoverMs) await rm(path, { recursive: true, force: true });
    }
  }

  /** Runs work with a fresh directory. */
  async run<T>(work: (directory: string) => Promise<T>): Promise<T> {
    await mkdir(this.#parent, { recursive: true, mode: 0o700 });
    const directory = await mkdtemp(join(this.#parent, "bundle-"));
    try {
      return await work(directory);
    } finally {
      await rm(directory, { recursive: true, force: true, maxRetries: 3 });
    }
  }
}
