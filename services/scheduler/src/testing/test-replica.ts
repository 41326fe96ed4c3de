import { type Assignment, LoadState, type ReplicaExit, ReplicaService } from "@aimass/api/scheduler";
import { type Address, PushStream, systemClock } from "@aimass/core";
import type { ServiceIdentity } from "@aimass/identity";
import { createServiceClient } from "@aimass/rpc";

export interface TestReplicaOptions {
  readonly incarnation?: string;
  readonly dedicatedTo?: string;
  readonly exits?: readonly ReplicaExit[];
}

interface TestReport {
  readonly replica: ReturnType<TestReplica["report"]>;
  readonly exits: ReplicaExit[];
}

/** A replica that follows its assignments: says LOADING, then READY, for each. */
export class TestReplica {
  readonly id: string;
  readonly incarnation: string;
  assigned: readonly Assignment[] = [];
  /** Versions it cannot load. */
  readonly broken = new Set<number>();
  readonly dedicatedTo: string;
  /** How its last processes ended; told with every report. */
  readonly exits: readonly ReplicaExit[];
  draining = false;
  /** Reports nothing while its stream stands, as a process whose main thread is busy. */
  isMute = false;
  #end = new AbortController();
  #reports: PushStream<TestReport> | undefined;
  #held = new Map<string, { model: string; project: string; version: bigint; state: LoadState; reason: string }>();
  #running: Promise<void> | undefined;

  constructor(id: string, options: TestReplicaOptions = {}) {
    this.id = id;
    this.exits = options.exits ?? [];
    this.incarnation = options.incarnation ?? "1";
    this.dedicatedTo = options.dedicatedTo ?? "";
  }

  /** Attaches, and attaches again whenever the stream breaks. */
  start(addresses: readonly Address[], identity: ServiceIdentity): this {
    const client = createServiceClient(ReplicaService, { addresses, identity });
    const { signal } = this.#end;
    this.#running = (async () => {
      while (!signal.aborted) {
        const reports = new PushStream<TestReport>();
        this.#reports = reports;
        const onAbort = () => reports.end();
        signal.addEventListener("abort", onAbort, { once: true });
        this.send();
        const beat = setInterval(() => this.send(), 200);
        try {
          for await (const { assignments } of client.attachReplica(reports, { signal })) this.#obey(assignments);
        } catch {
          await systemClock.sleep(50, signal).catch(() => {});
        } finally {
          clearInterval(beat);
        }
      }
    })();
    return this;
  }

  holds(model: string): number[] {
    return [...this.#held.values()].filter((held) => held.model === model).map((held) => Number(held.version));
  }

  send(): void {
    if (this.isMute) return;
    this.#reports?.push({ replica: this.report(), exits: [...this.exits] });
  }

  async stop(): Promise<void> {
    this.#end.abort();
    await this.#running;
  }

  report() {
    const [node = "", device = "cpu-0"] = this.id.split("/");
    return {
      id: this.id,
      node,
      device: { id: device, kind: device.split("-")[0] ?? "cpu", selector: "0-1" },
      address: `127.0.0.1:${1000 + this.id.length}`,
      incarnation: this.incarnation,
      dedicatedTo: this.dedicatedTo,
      draining: this.draining,
      memoryBytesUsed: 100_000_000n,
      memoryBytesLimit: 1_000_000_000n,
      loaded: [...this.#held.values()].map((held) => ({
        ...held,
        parityDigest: new Uint8Array([1, Number(held.version)]),
      })),
    };
  }

  #obey(assignments: readonly Assignment[]): void {
    this.assigned = assignments;
    const wanted = new Map(
      assignments.map(({ version }) => [`${version?.project}.${version?.model}@${version?.version}`, version]),
    );
    for (const name of this.#held.keys()) if (!wanted.has(name)) this.#held.delete(name);
    for (const [name, version] of wanted) {
      if (version === undefined || this.#held.has(name)) continue;
      const { project, model } = version;
      this.#held.set(name, { project, model, version: version.version, state: LoadState.LOADING, reason: "" });
    }
    this.send();
    setTimeout(() => this.#finishLoading(), 10);
  }

  #finishLoading(): void {
    for (const held of this.#held.values()) {
      const isBroken = this.broken.has(Number(held.version));
      held.state = isBroken ? LoadState.FAILED : LoadState.READY;
      held.reason = isBroken ? "no such operator" : "";
    }
    this.send();
  }
}
