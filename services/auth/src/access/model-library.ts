import { DatasetService, ModelService, ProjectService } from "@aimass/api/registry";
import { type Address, AimassError } from "@aimass/core";
import type { ServiceIdentity } from "@aimass/identity";
import { createServiceClient } from "@aimass/rpc";
import type { Telemetry } from "@aimass/telemetry";
import { timestampDate } from "@bufbuild/protobuf/wkt";
import type { Client } from "@connectrpc/connect";

/** What the registry has, asked in this service's own name. */
export class ModelLibrary {
  readonly #models: Client<typeof ModelService>;
  readonly #projects: Client<typeof ProjectService>;
  readonly #datasets: Client<typeof DatasetService>;

  constructor(options: { addresses: readonly Address[]; identity: ServiceIdentity; telemetry: Telemetry }) {
    this.#models = createServiceClient(ModelService, options);
    this.#projects = createServiceClient(ProjectService, options);
    this.#datasets = createServiceClient(DatasetService, options);
  }

  /** When the model of this name that is there now was made; undefined: there is none. Rejects while the registry cannot be asked. */
  async modelSince(project: string, model: string): Promise<Date | undefined> {
    try {
      const { model: found } = await this.#models.getModel({ project, name: model });
      // A model without a time is there, and may have been there for long.
      return found?.createdAt === undefined ? new Date(0) : timestampDate(found.createdAt);
    } catch (error) {
      if (AimassError.from(error).code === "NOT_FOUND") return undefined;
      throw error;
    }
  }

  /** When the project of this name that is there now was made; undefined: there is none. Rejects while the registry cannot be asked. */
  async projectSince(project: string): Promise<Date | undefined> {
    try {
      const { project: found } = await this.#projects.getProject({ name: project });
      return found?.createdAt === undefined ? new Date(0) : timestampDate(found.createdAt);
    } catch (error) {
      if (AimassError.from(error).code === "NOT_FOUND") return undefined;
      throw error;
    }
  }

  /** When the newest version of the dataset of this name was made; undefined: there is none. Rejects while the registry cannot be asked. */
  async datasetSince(project: string, dataset: string): Promise<Date | undefined> {
    try {
      const { datasetVersion: newest } = await this.#datasets.getDatasetVersion({ project, dataset });
      return newest?.createdAt === undefined ? new Date(0) : timestampDate(newest.createdAt);
    } catch (error) {
      if (AimassError.from(error).code === "NOT_FOUND") return undefined;
      throw error;
    }
  }
}
