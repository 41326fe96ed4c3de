import type { ArtifactStore, Upload } from "@aimass/artifacts";
import { AimassError } from "@aimass/core";
import type { Reader } from "../reader.ts";
import type { ArtifactAccess } from "./artifact-access.ts";

/** What a caller is told of an upload that became an artifact. */
export interface CompletedUpload {
  readonly receivedBytes: bigint;
  readonly complete: true;
}

/** The last step of uploads: their bytes become artifacts, and whoever brought them becomes a reader. */
export class UploadCompletion {
  readonly #artifacts: Pick<ArtifactStore, "finish">;
  readonly #access: ArtifactAccess;
  /** By id of the upload. */
  readonly #underWay = new Map<string, Promise<unknown>>();

  constructor(options: { artifacts: Pick<ArtifactStore, "finish">; access: ArtifactAccess }) {
    this.#artifacts = options.artifacts;
    this.#access = options.access;
  }

  /** Completes an upload that has all its bytes. Errors: DATA_LOSS (they are not the announced ones; the upload is dropped). */
  async complete(reader: Reader, upload: Upload): Promise<CompletedUpload> {
    const finishing = this.#finish(reader, upload);
    this.#underWay.set(upload.id, finishing);
    try {
      await finishing;
    } catch (error) {
      return await this.completedElsewhere(reader, upload, error);
    } finally {
      if (this.#underWay.get(upload.id) === finishing) this.#underWay.delete(upload.id);
    }
    return completed(upload);
  }

  /**
   * Two streams of one caller may bring the same bytes; the one that comes second finds the artifact where its upload was. That counts only for who may read
   * the artifact: an upload that is gone may as well have been dropped because its bytes were wrong. Throws the error in every other case.
   */
  async completedElsewhere(reader: Reader, upload: Upload, error: unknown): Promise<CompletedUpload> {
    if (!(error instanceof AimassError) || error.code !== "NOT_FOUND") throw error;
    await this.#underWay.get(upload.id)?.catch(() => {});
    const here = await this.#access.find(reader, upload.sha256);
    if (here?.sizeBytes !== upload.sizeBytes || !(await this.#access.note(reader.principal, upload.sha256)))
      throw error;
    return completed(upload);
  }

  async #finish(reader: Reader, upload: Upload): Promise<void> {
    await this.#artifacts.finish(upload.id);
    await this.#access.note(reader.principal, upload.sha256);
  }
}

function completed(upload: Upload): CompletedUpload {
  return { receivedBytes: BigInt(upload.sizeBytes), complete: true };
}
