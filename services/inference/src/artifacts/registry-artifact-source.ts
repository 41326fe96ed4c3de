import type { ArtifactService } from "@aimass/api/registry";
import { fromConnectError } from "@aimass/rpc";
import type { Client } from "@connectrpc/connect";
import type { ArtifactSource } from "./artifact-source.ts";

/** Reads artifacts from the registry. */
export function registryArtifactSource(registry: Pick<Client<typeof ArtifactService>, "readArtifact">): ArtifactSource {
  return {
    async *read(sha256, offset, signal) {
      try {
        for await (const { chunk } of registry.readArtifact({ sha256, offset: BigInt(offset) }, { signal }))
          yield chunk;
      } catch (error) {
        throw fromConnectError(error);
      }
    },
  };
}
