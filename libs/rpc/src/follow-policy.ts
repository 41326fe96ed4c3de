import { PolicyService } from "@aimass/api/auth";
import { type Address, AimassError, abortError, type Clock, keepTrying, linkedSignal, NewestSaver } from "@aimass/core";
import type { PolicyStore, ServiceIdentity } from "@aimass/identity";
import type { Logger, Telemetry } from "@aimass/telemetry";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { BytesValueSchema } from "@bufbuild/protobuf/wkt";
import type { Client, Transport } from "@connectrpc/connect";
import { createClientOver } from "./client-methods.ts";
import { createServiceTransport } from "./service-client.ts";

export interface FollowPolicyOptions {
  /** Of the auth service. */
  readonly addresses: readonly Address[];
  readonly identity: ServiceIdentity;
  /** Stable for the life of the process: `identity.name`. */
  readonly enforcerId: string;
  readonly store: PolicyStore;
  /** Where the last state is kept over restarts. */
  readonly stateFile?: string;
  readonly clock: Clock;
  readonly telemetry: Telemetry;
  readonly signal: AbortSignal;
}

/**
 * WatchPolicy whose answers keep their update in its bytes, which are one field of either: to decode a policy of very many entries in one go would hold up
 * everything else.
 */
const watchPolicyBytes = { ...PolicyService.method.watchPolicy, output: BytesValueSchema };

type WatchPolicyInit = MessageInitShape<typeof PolicyService.method.watchPolicy.input>;

/** The auth service gives a sign of life every 5 s; after three missed ones the stream is taken for dead. */
const silenceMs = 15_000;
/** How often the file is written when only the age of the state has changed. */
const saveEveryMs = 60_000;
/** Least time between two writes of the file, however often the state changes. */
const saveGapMs = 1000;

/**
 * Keeps a policy store up to date: loads the state file, watches the auth service, applies, acknowledges, persists. Goes on through every failure and
 * resolves after the signal aborts. Deciding while the auth service is away is the store's business, by age.
 */
export async function followPolicy(options: FollowPolicyOptions): Promise<void> {
  const follower = new PolicyFollower(options);
  await follower.run();
}

/** Resolves when the store holds a policy. Rejects with the signal's reason when it aborts before. */
export function policyReady(store: PolicyStore, signal: AbortSignal): Promise<void> {
  if (store.version > 0n) return Promise.resolve();
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(abortError(signal));
    const onAbort = () => {
      subscription[Symbol.dispose]();
      reject(abortError(signal));
    };
    const subscription = store.onChange(() => {
      subscription[Symbol.dispose]();
      signal.removeEventListener("abort", onAbort);
      resolve();
    });
    signal.addEventListener("abort", onAbort, { once: true });
  });
}

class PolicyFollower {
  readonly #options: FollowPolicyOptions;
  readonly #transport: Transport;
  readonly #client: Client<typeof PolicyService>;
  readonly #log: Logger;
  readonly #saver: NewestSaver | undefined;
  #acknowledged = "";
  #askForAll = false;

  constructor(options: FollowPolicyOptions) {
    this.#options = options;
    this.#transport = createServiceTransport(PolicyService, options);
    this.#client = createClientOver(PolicyService, this.#transport);
    this.#log = options.telemetry.log.scope("rpc.policy");
    this.#saver = options.stateFile === undefined ? undefined : this.#createSaver(options.stateFile);
    observePolicy(options);
  }

  async run(): Promise<void> {
    const { clock, signal, store, stateFile } = this.#options;
    if (stateFile !== undefined && store.version === 0n) await store.load(stateFile);
    if (store.version > 0n) {
      this.#log.info("policy loaded from disk", { version: store.version.toString(), ageMs: store.ageMs() });
    }
    const onFailure = (error: unknown) => this.#log.warn("policy stream broken", { error });
    await keepTrying((healthy) => this.#watch(healthy), { clock, signal, onFailure, backoff: { maxMs: 2000 } });
    await this.#saver?.settled();
  }

  async #watch(healthy: () => void): Promise<void> {
    const { clock, store, enforcerId, signal } = this.#options;
    using scope = linkedSignal(signal);
    const silence = () => scope.abort(new AimassError("UNAVAILABLE", "The auth service fell silent."));
    let timer = clock.timer(silenceMs, silence);
    const held = this.#askForAll ? { epoch: "", version: 0n } : { epoch: store.epoch, version: store.version };
    this.#askForAll = false;
    try {
      for await (const update of this.#updates({ enforcerId, ...held }, scope.signal)) {
        timer[Symbol.dispose]();
        if (update.length > 0) {
          await this.#apply(update);
          healthy();
        }
        timer = clock.timer(silenceMs, silence);
      }
    } finally {
      timer[Symbol.dispose]();
    }
  }

  /** Each a PolicyUpdate in its bytes. */
  async *#updates(request: WatchPolicyInit, signal: AbortSignal): AsyncIterable<Uint8Array> {
    const only = (async function* () {
      yield request;
    })();
    const { message } = await this.#transport.stream(watchPolicyBytes, signal, undefined, undefined, only);
    for await (const { value } of message) yield value;
  }

  async #apply(update: Uint8Array): Promise<void> {
    const { store } = this.#options;
    const before = `${store.epoch}/${store.version}`;
    try {
      await store.applyEncoded(update);
    } catch (error) {
      this.#askForAll = true;
      throw error;
    }
    const now = `${store.epoch}/${store.version}`;
    if (now !== before) this.#log.debug("policy applied", { version: store.version.toString(), facts: store.size });
    if (now !== this.#acknowledged) void this.#acknowledge(now);
    const saver = this.#saver;
    if (saver !== undefined && (now !== before || saver.ageMs() >= saveEveryMs)) saver.changed();
  }

  /** A lost acknowledgement is sent again with the next sign of life. */
  async #acknowledge(state: string): Promise<void> {
    const { store, enforcerId, signal } = this.#options;
    try {
      const request = { enforcerId, epoch: store.epoch, version: store.version };
      await this.#client.acknowledgePolicy(request, { signal, timeoutMs: 2000 });
      this.#acknowledged = state;
    } catch (error) {
      if (!signal.aborted) this.#log.warn("policy not acknowledged", { error });
    }
  }

  #createSaver(file: string): NewestSaver {
    const { clock, store, signal } = this.#options;
    const onFailure = (error: unknown) => this.#log.warn("policy not saved", { file, error });
    return new NewestSaver({ save: () => store.save(file), gapMs: saveGapMs, clock, signal, onFailure });
  }
}

function observePolicy({ store, telemetry }: FollowPolicyOptions): void {
  telemetry.metrics.observedGauge("aimass_policy_age_seconds", { help: "Age of the access policy in use." }, () =>
    store.version === 0n ? [] : [{ value: store.ageMs() / 1000 }],
  );
  telemetry.metrics.observedGauge("aimass_policy_version", { help: "Version of the access policy in use." }, () => [
    { value: Number(store.version) },
  ]);
}
