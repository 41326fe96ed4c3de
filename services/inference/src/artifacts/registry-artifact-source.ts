import type { ArtifactService } from "@aimass/api/registry";
import type { ReplicaService } from "@aimass/api/scheduler";
import { fromConnectError } from "@aimass/rpc";
import type { Client } from "@connectrpc/connect";
import type { ArtifactSource } from "./artifact-source.ts";

interface Peers {
  readonly registry: Pick<Client<typeof ArtifactService>, "readArtifact">;
  readonly scheduler: Pick<Client<typeof ReplicaService>, "grantRead">;
  /** For whom. */
  readonly replicaId: string;
}

/** Reads artifacts from the registry, by grants of the scheduler that assigned them: each read with a fresh one, since they are short-lived. */
export function registryArtifactSource({ registry, scheduler, replicaId }: Peers): ArtifactSource {
  return {
    async *read({ project, model, version }, sha256, offset, signal) {
      try {
        const { grant } = await scheduler.grantRead({ replicaId, project, model, version }, { signal });
        const request = { sha256, offset: BigInt(offset), ...(grant !== undefined && { grant }) };
        for await (const { chunk } of registry.readArtifact(request, { signal })) yield chunk;
      } catch (error) {
        throw fromConnectError(error);
      }
    },
  };
}
