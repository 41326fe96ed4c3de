import type { Address, Clock } from "@aimass/core";
import { Upstream } from "@aimass/h2";
import { WaitingRoom } from "../pipeline/waiting-room.ts";

const maxWaiting = 1000;

/** Connections kept for the next streaming call, for each process. */
const idleLanes = 8;

/** How long a connection for a streaming call may take. */
const laneTimeoutMs = 2000;

/** Slower PINGs than towards replicas: a control plane may be busy for a while, and its calls are not sent twice. */
const connectionOptions = {
  pingIntervalMs: 1000,
  pingTimeoutMs: 2000,
  deadAfterMs: 10_000,
  // One slow reader must not stop the others' answers.
  receiveWindowBytes: 64 * 1024 * 1024,
};

/** One process of a service: a shared connection for unary calls, and one for each streaming call, so that no upload meets a download on its way. */
export class BackendProcess {
  readonly shared: Upstream;
  readonly #address: Address;
  readonly #clock: Clock;
  readonly #idle: Upstream[] = [];

  constructor(address: Address, clock: Clock) {
    this.#address = address;
    this.#clock = clock;
    this.shared = new Upstream({ address, clock, ...connectionOptions });
  }

  /** Runs `work` on a connection of its own. */
  async withLane<T>(signal: AbortSignal, work: (lane: Upstream) => Promise<T>): Promise<T> {
    const lane = this.#takeIdle() ?? new Upstream({ address: this.#address, clock: this.#clock, ...connectionOptions });
    try {
      await this.#untilSettled(lane, signal);
      return await work(lane);
    } finally {
      if (lane.state === "ready" && this.#idle.length < idleLanes) this.#idle.push(lane);
      else lane.close();
    }
  }

  close(): void {
    this.shared.close();
    for (const lane of this.#idle.splice(0)) lane.close();
  }

  #takeIdle(): Upstream | undefined {
    while (this.#idle.length > 0) {
      const lane = this.#idle.pop() as Upstream;
      if (lane.state === "ready") return lane;
      lane.close();
    }
    return undefined;
  }

  async #untilSettled(lane: Upstream, signal: AbortSignal): Promise<void> {
    if (lane.state !== "connecting") return;
    const room = new WaitingRoom(this.#clock, 1);
    using _ = lane.onState(() => room.wake());
    await room.wait(laneTimeoutMs, signal);
  }
}

/** The processes of one service: calls go round over those that are up. */
export class Backend {
  readonly processes: readonly BackendProcess[];
  readonly #room: WaitingRoom;
  #next = 0;

  constructor(addresses: readonly Address[], clock: Clock) {
    this.#room = new WaitingRoom(clock, maxWaiting);
    this.processes = addresses.map((address) => new BackendProcess(address, clock));
    for (const { shared } of this.processes) shared.onState(() => this.#room.wake());
  }

  /** The next process that is up, of those not tried. */
  pick(tried: ReadonlySet<BackendProcess>): BackendProcess | undefined {
    const { length } = this.processes;
    for (let i = 0; i < length; i++) {
      const process = this.processes[(this.#next + i) % length] as BackendProcess;
      if (process.shared.state !== "ready" || tried.has(process)) continue;
      this.#next = (this.#next + i + 1) % length;
      return process;
    }
    return undefined;
  }

  /** Waits for a process to come up, or go. False when too many wait. */
  wait(ms: number, signal: AbortSignal): Promise<boolean> {
    return this.#room.wait(ms, signal);
  }

  close(): void {
    for (const process of this.processes) process.close();
  }
}
