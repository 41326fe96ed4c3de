import { LibraryService, type ListServableResponse, type ServableModel } from "@aimass/api/registry";
import { type Address, AimassError } from "@aimass/core";
import { formatResource, type ServiceIdentity } from "@aimass/identity";
import { createServiceClient } from "@aimass/rpc";
import type { Telemetry } from "@aimass/telemetry";

/** Reads the library as the registry has it at this moment. A model that did not change since the last reading is the same object. */
export type ReadLibrary = (signal?: AbortSignal) => Promise<ReadonlyMap<string, ServableModel>>;

/** For the first reading of a large library: later ones bring what changed. */
const timeoutMs = 60_000;
/** What the revisions of models may take of a request, which a registry reads up to 8 MiB; with more the library is read from the start each time. */
const mostKnownBytes = 4 * 2 ** 20;
/** Of an entry beside its two texts, at most. */
const entryBytes = 16;

/** The library over RPC. Rejects with UNAVAILABLE while no registry answers. */
export function registryLibrary(options: {
  addresses: readonly Address[];
  identity: ServiceIdentity;
  telemetry: Telemetry;
}): ReadLibrary {
  const client = createServiceClient(LibraryService, options);
  let held: ReadonlyMap<string, ServableModel> = new Map();
  return async (signal) => {
    const before = sizeOfKnown(held) > mostKnownBytes ? new Map<string, ServableModel>() : held;
    const known = Object.fromEntries([...before].map(([key, { revision }]) => [key, revision]));
    const answer = client.listServable({ known }, { timeoutMs, ...(signal !== undefined && { signal }) });
    held = await mergeChanges(before, answer);
    return held;
  };
}

function sizeOfKnown(models: ReadonlyMap<string, ServableModel>): number {
  let size = 0;
  for (const [key, { revision }] of models) size += key.length + revision.length + entryBytes;
  return size;
}

async function mergeChanges(
  before: ReadonlyMap<string, ServableModel>,
  messages: AsyncIterable<ListServableResponse>,
): Promise<ReadonlyMap<string, ServableModel>> {
  const fresh = new Map<string, ServableModel>();
  let last: ListServableResponse | undefined;
  for await (const message of messages) {
    last = message;
    for (const part of message.models) {
      const key = formatResource(part.project, part.name);
      const model = fresh.get(key);
      if (model === undefined) fresh.set(key, part);
      else for (const version of part.versions) model.versions.push(version);
    }
  }
  if (last?.complete !== true)
    throw new AimassError("UNAVAILABLE", "The registry broke off in the middle of the library.");
  const merged = new Map([...before, ...fresh]);
  for (const key of last.removed) merged.delete(key);
  return merged;
}
