import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { type AttachReplicaResponse, AttachReplicaResponseSchema } from "@aimass/api/scheduler";
import { fromBinary, toBinary } from "@bufbuild/protobuf";

/** The last assignment on disk, so that a replica restarted while no scheduler lives serves what it served before. */
export class AssignmentMemory {
  readonly #path: string;
  #writing: Promise<void> = Promise.resolve();

  constructor(path: string) {
    this.#path = path;
  }

  /** Keeps an assignment; one write after another. Rejects when the disk refuses. */
  save(assignment: AttachReplicaResponse): Promise<void> {
    const bytes = toBinary(AttachReplicaResponseSchema, assignment);
    this.#writing = this.#writing
      .catch(() => {})
      .then(async () => {
        await mkdir(dirname(this.#path), { recursive: true });
        await writeFile(`${this.#path}.new`, bytes, { mode: 0o600 });
        await rename(`${this.#path}.new`, this.#path);
      });
    return this.#writing;
  }

  /** What was kept last; undefined when nothing was, or when it cannot be read. */
  async load(): Promise<AttachReplicaResponse | undefined> {
    try {
      return fromBinary(AttachReplicaResponseSchema, await readFile(this.#path));
    } catch {
      return undefined;
    }
  }
}
