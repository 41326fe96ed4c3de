import {
  type AttachReplicaRequest,
  AttachReplicaRequestSchema,
  type AttachReplicaResponse,
  type ReplicaExit,
  type ReplicaInfo,
  type ReplicaService,
} from "@aimass/api/scheduler";
import { type Clock, keepTrying, PushStream } from "@aimass/core";
import type { Logger } from "@aimass/telemetry";
import { create } from "@bufbuild/protobuf";
import type { Client } from "@connectrpc/connect";
import type { WantedVersion } from "../servables/servable-set.ts";
import type { AssignmentMemory } from "./assignment-memory.ts";

/** How often a replica reports when nothing changes, in milliseconds. */
const reportMs = 2000;

/** How long a starting replica waits for the scheduler before it goes by what it remembers, in milliseconds. */
const memoryAfterMs = 1000;

/** A replica's tie to the scheduler: reports on every change and every 2 s, takes assignments, and outlives the scheduler's death. */
export class SchedulerLink {
  readonly #scheduler: Pick<Client<typeof ReplicaService>, "attachReplica">;
  readonly #memory: AssignmentMemory;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #describe: () => ReplicaInfo;
  readonly #assign: (wanted: readonly WantedVersion[]) => void;
  /** Told until a scheduler has answered. */
  #exits: readonly ReplicaExit[];
  #reports: PushStream<AttachReplicaRequest> | undefined;
  #isReportDue = false;
  #isAssigned = false;
  #isLost = false;

  constructor(options: {
    scheduler: Pick<Client<typeof ReplicaService>, "attachReplica">;
    memory: AssignmentMemory;
    clock: Clock;
    log: Logger;
    describe: () => ReplicaInfo;
    assign: (wanted: readonly WantedVersion[]) => void;
    /** How its last process ended. */
    exits: readonly ReplicaExit[];
  }) {
    this.#scheduler = options.scheduler;
    this.#memory = options.memory;
    this.#clock = options.clock;
    this.#log = options.log;
    this.#describe = options.describe;
    this.#assign = options.assign;
    this.#exits = options.exits;
  }

  /** Whether an assignment is in force, the scheduler's or the remembered one. */
  get isAssigned(): boolean {
    return this.#isAssigned;
  }

  /** Says that something changed; changes of one turn of the event loop make one report. */
  readonly changed = (): void => {
    if (this.#isReportDue) return;
    this.#isReportDue = true;
    setImmediate(() => {
      this.#isReportDue = false;
      this.#reports?.push(this.#report());
    });
  };

  /** Attaches, and attaches again, until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    void this.#clock.sleep(memoryAfterMs, signal).then(
      () => this.#goByMemory(),
      () => {},
    );
    await keepTrying((healthy) => this.#attach(signal, healthy), {
      clock: this.#clock,
      signal,
      backoff: { initialMs: 100, maxMs: 2000 },
      onFailure: (error) => this.#lost(error),
    });
  }

  async #attach(signal: AbortSignal, healthy: () => void): Promise<void> {
    const reports = new PushStream<AttachReplicaRequest>();
    this.#reports = reports;
    reports.push(this.#report());
    const timer = setInterval(() => reports.push(this.#report()), reportMs);
    try {
      for await (const response of this.#scheduler.attachReplica(reports, { signal })) {
        healthy();
        this.#isLost = false;
        this.#exits = [];
        this.#take(response);
      }
    } finally {
      clearInterval(timer);
      reports.end();
      if (this.#reports === reports) this.#reports = undefined;
    }
  }

  #report(): AttachReplicaRequest {
    return create(AttachReplicaRequestSchema, { replica: this.#describe(), exits: [...this.#exits] });
  }

  /** One line a loss, however long it lasts. */
  #lost(error: unknown): void {
    if (!this.#isLost) this.#log.warn("the scheduler is out of reach", { error });
    this.#isLost = true;
  }

  #take(response: AttachReplicaResponse): void {
    this.#isAssigned = true;
    this.#memory
      .save(response)
      .catch((error: unknown) => this.#log.warn("the assignment could not be kept", { error }));
    this.#assign(wantedOf(response));
  }

  async #goByMemory(): Promise<void> {
    if (this.#isAssigned) return;
    const remembered = await this.#memory.load();
    if (remembered === undefined || this.#isAssigned) return;
    this.#isAssigned = true;
    this.#log.info("the scheduler is silent; the last assignment is in force", {
      versions: remembered.assignments.length,
    });
    this.#assign(wantedOf(remembered));
  }
}

function wantedOf(response: AttachReplicaResponse): WantedVersion[] {
  return response.assignments.flatMap(({ version, onDemand }) =>
    version === undefined ? [] : [{ version, onDemand }],
  );
}
