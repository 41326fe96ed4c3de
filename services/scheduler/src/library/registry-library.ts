import { LibraryService, type ServableModel } from "@aimass/api/registry";
import type { Address } from "@aimass/core";
import { formatResource, type ServiceIdentity } from "@aimass/identity";
import { createServiceClient } from "@aimass/rpc";
import type { Telemetry } from "@aimass/telemetry";

/** Reads the whole library as the registry has it at this moment. */
export type ReadLibrary = (signal?: AbortSignal) => Promise<ReadonlyMap<string, ServableModel>>;

const timeoutMs = 5000;

/** The library over RPC. Rejects with UNAVAILABLE while no registry answers. */
export function registryLibrary(options: {
  addresses: readonly Address[];
  identity: ServiceIdentity;
  telemetry: Telemetry;
}): ReadLibrary {
  const client = createServiceClient(LibraryService, options);
  return async (signal) => {
    const { models } = await client.listServable({}, { timeoutMs, ...(signal !== undefined && { signal }) });
    return new Map(models.map((model) => [formatResource(model.project, model.name), model]));
  };
}
