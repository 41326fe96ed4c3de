import {
  type AnnounceNodeRequest,
  AnnounceNodeRequestSchema,
  type DedicatedReplica,
  ReplicaExitSchema,
  type ReplicaService,
} from "@aimass/api/scheduler";
import { type Clock, keepTrying, PushStream } from "@aimass/core";
import type { Logger } from "@aimass/telemetry";
import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { Client } from "@connectrpc/connect";
import type { Device } from "../devices/device.ts";
import { measureMachine } from "./machine.ts";
import type { ReplicaDeath } from "./replica-process.ts";

/** How often an agent reports its machine, in milliseconds. */
const reportMs = 2000;

/** Deaths kept for a scheduler that is out of reach. */
const maxDeaths = 256;

/** An agent's tie to the scheduler: reports the machine and the replicas that died, and passes on which dedicated replicas are wanted. */
export class Announcer {
  readonly #scheduler: Pick<Client<typeof ReplicaService>, "announceNode">;
  readonly #node: string;
  readonly #devices: readonly Device[];
  readonly #directory: string;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #onWanted: (wanted: readonly DedicatedReplica[]) => void;
  #deaths: ReplicaDeath[] = [];
  #report: (() => void) | undefined;
  #isLost = false;

  constructor(options: {
    scheduler: Pick<Client<typeof ReplicaService>, "announceNode">;
    node: string;
    devices: readonly Device[];
    directory: string;
    clock: Clock;
    log: Logger;
    onWanted: (wanted: readonly DedicatedReplica[]) => void;
  }) {
    this.#scheduler = options.scheduler;
    this.#node = options.node;
    this.#devices = options.devices;
    this.#directory = options.directory;
    this.#clock = options.clock;
    this.#log = options.log;
    this.#onWanted = options.onWanted;
  }

  /** Reports a death at once, or as soon as a scheduler is there. */
  readonly died = (death: ReplicaDeath): void => {
    this.#deaths = [...this.#deaths, death].slice(-maxDeaths);
    this.#report?.();
  };

  /** Announces, and announces again, until the signal aborts. */
  run(signal: AbortSignal): Promise<void> {
    return keepTrying((healthy) => this.#announce(signal, healthy), {
      clock: this.#clock,
      signal,
      backoff: { initialMs: 100, maxMs: 2000 },
      onFailure: (error) => this.#lost(error),
    });
  }

  /** One line a loss, however long it lasts. */
  #lost(error: unknown): void {
    if (!this.#isLost) this.#log.warn("the scheduler is out of reach", { error });
    this.#isLost = true;
  }

  async #announce(signal: AbortSignal, healthy: () => void): Promise<void> {
    const reports = new PushStream<AnnounceNodeRequest>();
    // Deaths handed over on this stream, told again on the next one when it breaks before the scheduler has answered.
    let told: ReplicaDeath[] = [];
    const report = () => {
      const deaths = this.#deaths;
      this.#deaths = [];
      told.push(...deaths);
      this.#describe(deaths).then(
        (request) => reports.push(request),
        (error: unknown) => reports.end(error),
      );
    };
    this.#report = report;
    report();
    const timer = setInterval(report, reportMs);
    try {
      for await (const { dedicated } of this.#scheduler.announceNode(reports, { signal })) {
        healthy();
        this.#isLost = false;
        told = [];
        this.#onWanted(dedicated);
      }
    } finally {
      clearInterval(timer);
      reports.end();
      this.#report = undefined;
      this.#deaths = [...told, ...this.#deaths].slice(-maxDeaths);
    }
  }

  async #describe(deaths: readonly ReplicaDeath[]): Promise<AnnounceNodeRequest> {
    const { total, free } = await measureMachine(this.#devices, this.#directory);
    return create(AnnounceNodeRequestSchema, {
      node: this.#node,
      total,
      free,
      devices: this.#devices.map((device) => ({ ...device, memoryBytes: BigInt(device.memoryBytes) })),
      exits: deaths.map((death) =>
        create(ReplicaExitSchema, {
          replicaId: death.replicaId,
          incarnation: death.incarnation,
          exitCode: death.exitCode,
          signal: death.signal,
          running: death.running.map((version) => ({ ...version })),
          at: timestampFromMs(death.at),
        }),
      ),
    });
  }
}
