import { type DedicatedReplica, type ReplicaExit, ReplicaService } from "@aimass/api/scheduler";
import { type Address, PushStream } from "@aimass/core";
import type { ServiceIdentity } from "@aimass/identity";
import { createServiceClient } from "@aimass/rpc";

/** An agent that reports its machine and notes which dedicated replicas it should keep. */
export class TestAgent {
  readonly node: string;
  dedicated: readonly DedicatedReplica[] | undefined;
  readonly #reports = new PushStream<{ node: string; devices: { id: string; kind: string }[]; exits: ReplicaExit[] }>();
  readonly #end = new AbortController();
  #running: Promise<void> = Promise.resolve();

  constructor(node: string) {
    this.node = node;
  }

  start(addresses: readonly Address[], identity: ServiceIdentity): this {
    const client = createServiceClient(ReplicaService, { addresses, identity });
    this.tell([]);
    this.#running = (async () => {
      for await (const answer of client.announceNode(this.#reports, { signal: this.#end.signal })) {
        this.dedicated = answer.dedicated;
      }
    })().catch(() => {});
    return this;
  }

  tell(exits: ReplicaExit[]): void {
    this.#reports.push({ node: this.node, devices: [{ id: "cpu-0", kind: "cpu" }], exits });
  }

  async stop(): Promise<void> {
    this.#reports.end();
    this.#end.abort();
    await this.#running;
  }
}
