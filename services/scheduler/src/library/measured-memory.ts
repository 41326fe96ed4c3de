import type { LibraryModel, LibraryVersion, ModelKey, ReplicaState } from "../reconcile/snapshot.ts";

/**
 * The library with what replicas measured: where a version takes more than the registry's trial showed, that is what another replica needs for it too. The least counts,
 * with single rows: how large batches may be, each replica decides by the memory it has.
 */
export function withMeasured(
  models: ReadonlyMap<ModelKey, LibraryModel>,
  replicas: readonly Pick<ReplicaState, "held">[],
): ReadonlyMap<ModelKey, LibraryModel> {
  const measured = new Map(models);
  for (const { key, version, leastMemory = 0 } of replicas.flatMap((replica) => replica.held)) {
    const model = measured.get(key);
    const known = model?.versions.get(version);
    if (model === undefined || known === undefined || known.memoryBytes >= leastMemory) continue;
    const larger: LibraryVersion = { ...known, memoryBytes: leastMemory };
    measured.set(key, { ...model, versions: new Map(model.versions).set(version, larger) });
  }
  return measured;
}
