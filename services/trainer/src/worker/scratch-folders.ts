import { mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";
import type { JobLeases } from "../jobs/job-leases.ts";
import { removeFolder } from "../scripts/remove-folder.ts";

/** Folders of one attempt at a job; all go together. */
export interface ScratchFolder extends AsyncDisposable {
  /** As JobWork.directory. */
  readonly work: string;
  /** Where checkpoints are handed over. */
  readonly checkpoints: string;
}

const folderName = /^([0-9a-f-]{36})-(\d{1,9})$/;

/** The folders that jobs work in, `jobs/<job>-<attempt>` in the state directory, for this user alone. */
export class ScratchFolders {
  readonly #directory: string;

  constructor(stateDirectory: string) {
    this.#directory = join(stateDirectory, "jobs");
  }

  async make(job: { id: string; attempt: number }): Promise<ScratchFolder> {
    const folder = join(this.#directory, `${job.id}-${job.attempt}`);
    await using made = new AsyncDisposableStack();
    made.defer(() => removeFolder(folder));
    const [work, checkpoints] = [join(folder, "work"), join(folder, "checkpoints")];
    for (const path of [folder, work, checkpoints]) await mkdir(path, { recursive: true, mode: 0o700 });
    const kept = made.move();
    return { work, checkpoints, [Symbol.asyncDispose]: () => kept.disposeAsync() };
  }

  /**
   * Removes what attempts left that nobody runs any more; how many. The database tells, not the age: trainers may share a directory.
   */
  async sweep(leases: Pick<JobLeases, "held">): Promise<number> {
    const names = await readdir(this.#directory).catch(() => [] as string[]);
    const attempts = names.flatMap((name) => {
      const [, id, attempt] = folderName.exec(name) ?? [];
      return id === undefined ? [] : [{ id, attempt: Number(attempt), name }];
    });
    // Folders were listed first: one whose job is not held now never will be again.
    const held = await leases.held(attempts);
    const left = attempts.filter(({ name }) => !held.has(name));
    for (const { name } of left) await removeFolder(join(this.#directory, name));
    return left.length;
  }
}
