import type { ArtifactStore, Upload } from "@aimass/artifacts";
import { AimassError, type Code, KeyedLock } from "@aimass/core";
import type { Reader } from "../reader.ts";
import type { ArtifactAccess } from "./artifact-access.ts";
import { projectOfOwner } from "./upload-owner.ts";

/** What a caller is told of an upload that became an artifact. */
export interface CompletedUpload {
  readonly receivedBytes: bigint;
  readonly complete: true;
}

const goneOrAnew: readonly Code[] = ["NOT_FOUND", "FAILED_PRECONDITION"];

/** The last step of uploads: their bytes become artifacts, and whoever brought them becomes a reader. */
export class UploadCompletion {
  readonly #artifacts: Pick<ArtifactStore, "finish">;
  readonly #access: ArtifactAccess;
  /** By id of the upload: who comes second finds the first written down as a reader. */
  readonly #turns = new KeyedLock();

  constructor(options: { artifacts: Pick<ArtifactStore, "finish">; access: ArtifactAccess }) {
    this.#artifacts = options.artifacts;
    this.#access = options.access;
  }

  /** Completes an upload that has all its bytes. Errors: DATA_LOSS (they are not the announced ones; the upload is dropped). */
  async complete(reader: Reader, upload: Upload): Promise<CompletedUpload> {
    try {
      await this.#turns.run(upload.id, () => this.#finish(reader, upload));
    } catch (error) {
      return await this.completedElsewhere(reader, upload, error);
    }
    return completed(upload);
  }

  /**
   * Two streams of one caller may bring the same bytes; the one that comes second finds the artifact where its upload was, or an upload that a third began anew.
   * That counts only for who may read the artifact: an upload that is gone may as well have been dropped because its bytes were wrong. Throws the error in every
   * other case.
   */
  async completedElsewhere(reader: Reader, upload: Upload, error: unknown): Promise<CompletedUpload> {
    if (!(error instanceof AimassError) || !goneOrAnew.includes(error.code)) throw error;
    const isReader = await this.#turns.run(upload.id, () => this.#isReader(reader, upload));
    if (!isReader) throw error;
    return completed(upload);
  }

  async #isReader(reader: Reader, upload: Upload): Promise<boolean> {
    const here = await this.#access.find(reader, upload.sha256);
    return here?.sizeBytes === upload.sizeBytes && (await this.#access.note(reader.principal, upload.sha256));
  }

  async #finish(reader: Reader, upload: Upload): Promise<void> {
    await this.#artifacts.finish(upload.id);
    await this.#access.noteUpload(reader.principal, upload.sha256, projectOfOwner(upload.owner));
  }
}

function completed(upload: Upload): CompletedUpload {
  return { receivedBytes: BigInt(upload.sizeBytes), complete: true };
}
