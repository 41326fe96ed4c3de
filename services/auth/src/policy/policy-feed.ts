import {
  type PolicyEntry,
  PolicyEntrySchema,
  type PolicyUpdate,
  type WatchPolicyResponse,
  WatchPolicyResponseSchema,
} from "@aimass/api/auth";
import { type Clock, PushStream } from "@aimass/core";
import {
  type KeyedDifference,
  KeyedState,
  type PolicyHead,
  type PolicyStore,
  policyEntryBytes,
  type ServiceIdentity,
  signPolicyUpdate,
} from "@aimass/identity";
import { create, fromBinary } from "@bufbuild/protobuf";
import type { AuthStore } from "../database.ts";
import { beginEpoch, type Held, type PolicyReading, readPolicy } from "./policy-reader.ts";
import { WholePolicy } from "./whole-policy.ts";

/** Steps kept in memory to continue enforcers that were away for a while. */
const keptSteps = 4096;

export interface PolicyFeedOptions {
  readonly store: AuthStore;
  readonly identity: ServiceIdentity;
  /** What this process itself enforces; fed first. */
  readonly policy: PolicyStore;
  readonly clock: Clock;
  readonly maxAgeSeconds: number;
  /** Called after this process has taken a version. */
  readonly onVersion?: (held: Held) => void;
}

/** The policy as this process last read it, and the streams of those who follow it here. */
export class PolicyFeed {
  readonly #options: PolicyFeedOptions;
  readonly #state = new KeyedState();
  readonly #streams = new Map<PushStream<WatchPolicyResponse>, string>();
  /** Which keys each step changed, oldest first. */
  #steps: { version: bigint; keys: readonly string[] }[] = [];
  /** Every change after this version is in the steps. */
  #stepsSince = 0n;
  #held: Held | undefined;
  /** What followers that cannot be continued get, of the held state; made for the first of them. */
  #whole: WholePolicy | undefined;
  #issuedAtMs = 0;
  #reading: Promise<void> | undefined;
  #readAgain = false;

  constructor(options: PolicyFeedOptions) {
    this.#options = options;
  }

  /** The state this process holds; undefined before the first read. */
  get held(): Held | undefined {
    return this.#held;
  }

  /** Who follows here. */
  get followers(): readonly string[] {
    return [...this.#streams.values()];
  }

  /** Reads what is new and passes it on. Calls during a read share one more read after it. Rejects when the database cannot be read. */
  refresh(): Promise<void> {
    if (this.#reading !== undefined) {
      this.#readAgain = true;
      return this.#reading;
    }
    this.#reading = this.#readUntilQuiet().finally(() => {
      this.#reading = undefined;
    });
    return this.#reading;
  }

  /** Tells every follower that the state is still this one, as of the last read. */
  signOfLife(): void {
    if (this.#held !== undefined) this.#send({ full: false, entries: [], removedKeys: [] });
  }

  /** The policy from where the follower stands. End the stream to stop. */
  async follow(followerId: string, from: Held): Promise<PushStream<WatchPolicyResponse>> {
    await this.refresh();
    if (from.epoch === this.#held?.epoch && from.version > this.#held.version) {
      await beginEpoch(this.#options.store, from);
      await this.refresh();
    }
    const stream = new PushStream<WatchPolicyResponse>();
    let at = from;
    while (!this.#isContinued(at)) {
      this.#whole ??= this.#makeWhole();
      const whole = this.#whole;
      // The state may go on while the whole is made: what changed meanwhile follows it.
      await whole.encoded();
      const head = this.#whole === whole ? this.#signWhole() : whole.head;
      stream.push(await whole.answer(head));
      at = whole.held;
    }
    stream.push(answerOf(this.#updateSince(at)));
    this.#streams.set(stream, followerId);
    return stream;
  }

  /** Takes a follower off. */
  unfollow(stream: PushStream<WatchPolicyResponse>): void {
    this.#streams.delete(stream);
    stream.end();
  }

  /** Ends every stream; followers go on elsewhere. */
  close(): void {
    for (const stream of [...this.#streams.keys()]) this.unfollow(stream);
  }

  async #readUntilQuiet(): Promise<void> {
    do {
      this.#readAgain = false;
      await this.#read();
    } while (this.#readAgain);
  }

  async #read(): Promise<void> {
    const { store, clock } = this.#options;
    const startedMs = clock.now();
    let reading = await readPolicy(store, this.#held);
    if (this.#held?.epoch === reading.epoch && this.#held.version > reading.version) {
      await beginEpoch(store, this.#held);
      reading = await readPolicy(store, this.#held);
    }
    this.#issuedAtMs = Math.max(this.#issuedAtMs, startedMs);
    this.#take(reading);
  }

  #take(reading: PolicyReading): void {
    const { kind, epoch, version } = reading;
    if (kind === "changes" && version === this.#held?.version) {
      this.#options.policy.apply(this.#sign({ full: false, entries: [], removedKeys: [] }));
      return;
    }
    const changed = new Map(reading.entries.map((entry) => [entry.key, policyEntryBytes(entry)]));
    const gone = kind === "full" ? [...this.#state.keys()] : reading.keys;
    const difference: KeyedDifference = { changed, removed: gone.filter((key) => !changed.has(key)) };
    this.#state.apply(difference);
    this.#held = { epoch, version };
    this.#whole = undefined;
    this.#rememberStep(reading);
    const update = { full: kind === "full", entries: reading.entries, removedKeys: [...difference.removed] };
    this.#options.policy.apply(this.#sign(update));
    // Who cannot be continued comes back for the whole, which is made once for all of them.
    if (kind === "full") this.close();
    else this.#send(update);
    this.#options.onVersion?.(this.#held);
  }

  #isContinued({ epoch, version }: Held): boolean {
    const held = this.#held as Held;
    return epoch === held.epoch && version >= this.#stepsSince && version <= held.version;
  }

  #makeWhole(): WholePolicy {
    return new WholePolicy(this.#held as Held, this.#signWhole(), this.#state.values());
  }

  #signWhole(): PolicyUpdate {
    return this.#sign({ full: true, entries: [], removedKeys: [] });
  }

  #updateSince(from: Held): PolicyUpdate {
    const keys = new Set(this.#steps.filter((step) => step.version > from.version).flatMap((step) => step.keys));
    const present = [...keys].filter((key) => this.#state.has(key));
    const removedKeys = [...keys].filter((key) => !this.#state.has(key));
    return this.#sign({ full: false, entries: this.#entriesOf(present), removedKeys });
  }

  #rememberStep(reading: PolicyReading): void {
    if (reading.kind === "full") {
      this.#steps = [];
      this.#stepsSince = reading.version;
      return;
    }
    this.#steps.push({ version: reading.version, keys: reading.keys });
    if (this.#steps.length > keptSteps) this.#stepsSince = this.#steps.shift()?.version ?? this.#stepsSince;
  }

  #entriesOf(keys: readonly string[]): PolicyEntry[] {
    return keys.map((key) => fromBinary(PolicyEntrySchema, this.#state.get(key) as Uint8Array));
  }

  #send(change: { full: boolean; entries: PolicyEntry[]; removedKeys: string[] }): void {
    if (this.#streams.size === 0) return;
    const update = answerOf(this.#sign(change));
    for (const stream of this.#streams.keys()) if (!stream.push(update)) this.#streams.delete(stream);
  }

  #sign(change: { full: boolean; entries: PolicyEntry[]; removedKeys: string[] }): PolicyUpdate {
    const { identity, maxAgeSeconds } = this.#options;
    const head: PolicyHead = {
      ...(this.#held as Held),
      digest: this.#state.digest(),
      issuedAtMs: this.#issuedAtMs,
      maxAgeSeconds: BigInt(maxAgeSeconds),
    };
    return signPolicyUpdate(identity, head, change);
  }
}

function answerOf(update: PolicyUpdate): WatchPolicyResponse {
  return create(WatchPolicyResponseSchema, { update });
}
