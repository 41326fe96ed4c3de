import type { Version } from "@aimass/api/registry";
import { AimassError } from "@aimass/core";
import type { Logger } from "@aimass/telemetry";
import type { Loader } from "./loader.ts";
import type { Servable } from "./servable.ts";
import { type VersionName, versionKey } from "./version-name.ts";

/** A version that cannot even be planned for. */
export interface RefusedVersion {
  readonly name: VersionName;
  readonly reason: string;
}

/** A version to hold, and whether it may be put aside. */
export interface WantedVersion {
  readonly version: Version;
  readonly onDemand: boolean;
}

interface Entry {
  readonly version: Version;
  readonly servable: Servable;
  readonly stop: AbortController;
}

/** What a replica serves: brings the versions it holds in line with those it should hold. */
export class ServableSet {
  readonly #create: (wanted: WantedVersion, onDemanded: () => void) => Servable;
  readonly #loader: Loader;
  readonly #log: Logger;
  readonly #onChange: () => void;
  readonly #onGone: (servable: Servable) => void;
  readonly #entries = new Map<string, Entry>();
  readonly #refused = new Map<string, RefusedVersion>();
  readonly #suspects: ReadonlySet<string>;
  #wanted = new Map<string, WantedVersion>();

  constructor(options: {
    /** Keys of the versions that were running when the last process died: they are loaded last. */
    suspects: ReadonlySet<string>;
    /** `onDemanded` is for the servable's own. */
    create: (wanted: WantedVersion, onDemanded: () => void) => Servable;
    loader: Loader;
    log: Logger;
    /** Hears of every change of a state. */
    onChange: () => void;
    /** Hears of a servable that was unloaded. */
    onGone: (servable: Servable) => void;
  }) {
    this.#suspects = options.suspects;
    this.#create = options.create;
    this.#loader = options.loader;
    this.#log = options.log;
    this.#onChange = options.onChange;
    this.#onGone = options.onGone;
  }

  get all(): readonly Servable[] {
    return [...this.#entries.values()].map((entry) => entry.servable);
  }

  /** Wanted versions this replica can do nothing with. */
  get refused(): readonly RefusedVersion[] {
    return [...this.#refused.values()];
  }

  /** Requests that wait, over all versions. */
  get waiting(): number {
    let waiting = 0;
    for (const { servable } of this.#entries.values()) waiting += servable.waiting;
    return waiting;
  }

  /** The servable of a version by its key ("project.model/3"), in whatever state. */
  get(key: string): Servable | undefined {
    return this.#entries.get(key)?.servable;
  }

  /** Servables of a model ("project.model"), newest version first. */
  ofModel(model: string): readonly Servable[] {
    const prefix = `${model}/`;
    const found = this.all.filter((servable) => servable.key.startsWith(prefix));
    return found.sort((a, b) => (b.plan.name.version > a.plan.name.version ? 1 : -1));
  }

  /** The versions of all servables, in whatever state. */
  get versions(): readonly Version[] {
    return [...this.#entries.values()].map((entry) => entry.version);
  }

  /** Takes the whole set of wanted versions: loads what is new, drains and unloads what is missing. Returns at once. */
  reconcile(wanted: readonly WantedVersion[]): void {
    this.#wanted = new Map(wanted.map((one) => [versionKey(one.version as VersionName), one]));
    this.#refused.clear();
    for (const [key, entry] of [...this.#entries]) if (!this.#wanted.has(key)) this.#retire(key, entry);
    for (const [key, one] of this.#wanted) {
      const entry = this.#entries.get(key);
      if (entry === undefined) this.#start(key, one);
      else if (entry.servable.onDemand !== one.onDemand) this.#setOnDemand(entry, one.onDemand);
    }
  }

  /** Resolves when no request waits or runs. */
  async idle(): Promise<void> {
    await Promise.all(this.all.map((servable) => servable.idle()));
  }

  #setOnDemand(entry: Entry, onDemand: boolean): void {
    entry.servable.onDemand = onDemand;
    if (entry.servable.state.kind === "ready") this.#demanded(entry);
  }

  #demanded({ servable, version, stop }: Entry): void {
    this.#loader.demanded(servable, version, stop.signal);
  }

  #start(key: string, wanted: WantedVersion): void {
    const { version } = wanted;
    let servable: Servable;
    try {
      servable = this.#create(wanted, () => this.#demanded(entry));
    } catch (error) {
      this.#log.error("a version cannot be served", { version: key, error });
      const { project, model, version: number } = version;
      this.#refused.set(key, { name: { project, model, version: number }, reason: AimassError.from(error).advice });
      this.#onChange();
      return;
    }
    const entry: Entry = { version, servable, stop: new AbortController() };
    this.#entries.set(key, entry);
    this.#onChange();
    const isSuspect = this.#suspects.has(key);
    this.#loader.load(servable, version, { signal: entry.stop.signal, isSuspect, changed: this.#onChange }).then(
      () => this.#log.info("a version is ready", { version: key, loadMicros: servable.facts?.loadMicros }),
      (error: unknown) => this.#failed(key, entry, error),
    );
  }

  #failed(key: string, { servable, stop }: Entry, error: unknown): void {
    if (stop.signal.aborted) {
      this.#forget(key, servable);
      return;
    }
    this.#log.warn("a version could not be loaded", { version: key, error });
    servable.state = { kind: "failed", reason: AimassError.from(error).advice };
    this.#onChange();
  }

  #retire(key: string, { servable, stop }: Entry): void {
    const { kind } = servable.state;
    if (kind === "unloading") return;
    if (kind === "failed") this.#forget(key, servable);
    else if (kind === "ready") void this.#unload(key, servable);
    else stop.abort(new AimassError("CANCELLED", "The version is not wanted here any more."));
  }

  async #unload(key: string, servable: Servable): Promise<void> {
    servable.state = { kind: "unloading" };
    this.#onChange();
    try {
      await servable.idle();
      await this.#loader.unload(servable);
    } catch (error) {
      this.#log.error("a version could not be unloaded", { version: key, error });
    }
    this.#forget(key, servable);
  }

  #forget(key: string, servable: Servable): void {
    this.#entries.delete(key);
    this.#onGone(servable);
    this.#log.info("a version is gone", { version: key });
    this.#onChange();
    const again = this.#wanted.get(key);
    if (again !== undefined) this.#start(key, again);
  }
}
