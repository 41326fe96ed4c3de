import { spawn } from "node:child_process";
import { join } from "node:path";
import { type Event, EventSchema } from "@aimass/api/events";
import { systemClock } from "@aimass/core";
import { generateMeshIdentity, ServiceIdentity } from "@aimass/identity";
import { openStore, type Store } from "@aimass/store";
import { makeTraceparent, silentTelemetry, withTraceparent } from "@aimass/telemetry";
import { createTestDatabase, waitFor } from "@aimass/testkit";
import { create, toBinary } from "@bufbuild/protobuf";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type EventBus, openEventBus } from "./event-bus.ts";
import type { CarrierMessage, EventCarrier } from "./event-carrier.ts";
import { signMessage } from "./signed-event.ts";

/** A running carrier that a test may kill. */
export interface CarrierUnderTest extends AsyncDisposable {
  /** The database of the carrier and of the outbox, when one PostgreSQL is both. Default: a database that stays. */
  readonly databaseUrl?: string;
  readonly natsUrl?: string;
  openCarrier(databaseUrl: string): Promise<EventCarrier>;
  kill(): Promise<void>;
  revive(): Promise<void>;
}

/** What every carrier must do. Runs inside a `describe`. */
export function eventCarrierContract(start: () => Promise<CarrierUnderTest>): void {
  let carrier: CarrierUnderTest;
  let databaseUrl: string;
  const open: AsyncDisposable[] = [];
  let serial = 0;

  beforeAll(async () => {
    carrier = await start();
    databaseUrl = carrier.databaseUrl ?? (await createTestDatabase()).url;
  });
  afterAll(async () => {
    for (const resource of open.reverse()) await resource[Symbol.asyncDispose]();
    await carrier[Symbol.asyncDispose]();
  });

  const keep = <T extends AsyncDisposable>(resource: T): T => {
    open.push(resource);
    return resource;
  };
  /** A source with a schema of its own, so that tests do not hear each other. */
  const openSource = async (): Promise<Source> => {
    const source = `source${++serial}`;
    const store = keep(await openStore<unknown>({ url: databaseUrl, schema: source, migrations: [] }));
    return { source, store, bus: keep(await openBus(source, store)) };
  };
  const openBus = (source: string, store: Store<unknown>, telemetry = silentTelemetry()) =>
    openEventBus({
      identity: identityOf(source),
      store,
      natsUrl: carrier.natsUrl,
      databaseUrl,
      clock: systemClock,
      telemetry,
    });
  const publish = ({ bus, store }: Source, name: string): Promise<Event> =>
    store.withTransaction((tx) =>
      bus.publishFrom(tx, { resource: name, payload: { case: "modelChanged", value: { model: name } } }),
    );
  /** Subscribes and collects the names of one source's events. */
  const collect = async (
    from: Source,
    o: {
      fail?: (name: string, seen: readonly string[]) => boolean;
      bus?: EventBus;
      consumer?: string;
      signal?: AbortSignal;
    } = {},
  ) => {
    const seen: string[] = [];
    await (o.bus ?? from.bus).subscribe({
      consumer: o.consumer ?? `${from.source}-test`,
      signal: o.signal ?? new AbortController().signal,
      handle: async (event) => {
        if (event.source !== from.source) return;
        seen.push(event.resource);
        if (o.fail?.(event.resource, seen)) throw new Error("not this time");
      },
    });
    return seen;
  };
  const names = (count: number, prefix = "n") => Array.from({ length: count }, (_, index) => `${prefix}${index}`);

  it("delivers what was committed, in order, within a second, and nothing that was rolled back", async () => {
    const source = await openSource();
    const seen = await collect(source);
    for (const name of names(50)) await publish(source, name);
    await source.store
      .withTransaction(async (tx) => {
        await source.bus.publishFrom(tx, { resource: "ghost", payload: { case: "modelChanged", value: {} } });
        throw new Error("rolled back");
      })
      .catch(() => {});
    const started = performance.now();
    await publish(source, "last");
    await waitFor(() => seen.includes("last"));
    expect(performance.now() - started).toBeLessThan(1_000);
    expect(seen).toEqual([...names(50), "last"]);
  });

  it("fills in id, time, source and trace, and hands the trace on to the handler", async () => {
    const source = await openSource();
    const heard: Event[] = [];
    await source.bus.subscribe({
      consumer: "traces",
      kinds: ["aliasMoved"],
      signal: new AbortController().signal,
      handle: async (event) => {
        if (event.source === source.source) heard.push(event);
      },
    });
    const traceparent = makeTraceparent({
      traceId: "0af7651916cd43dd8448eb211c80319c",
      spanId: "b7ad6b7169203331",
      sampled: true,
    });
    await publish(source, "of another kind");
    const value = { model: "fraud", alias: "default", fromVersion: 1n, toVersion: 2n };
    const sent = await withTraceparent(traceparent, () =>
      source.store.withTransaction((tx) =>
        source.bus.publishFrom(tx, { actor: "user:ada", payload: { case: "aliasMoved", value } }),
      ),
    );
    await waitFor(() => heard.length === 1);
    expect(heard[0]).toEqual(sent);
    expect(sent).toMatchObject({ source: source.source, actor: "user:ada", traceparent });
    expect(sent.id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(sent.occurredAt).toBeDefined();
  });

  it("brings an event again when its handler throws, before those behind it", async () => {
    const source = await openSource();
    const seen = await collect(source, {
      fail: (name, all) => name === "n1" && all.filter((n) => n === "n1").length < 3,
    });
    for (const name of names(4)) await publish(source, name);
    await waitFor(() => seen.includes("n3"));
    expect(seen).toEqual(["n0", "n1", "n1", "n1", "n2", "n3"]);
  });

  it("delivers once what was published twice", async () => {
    const source = await openSource();
    const seen = await collect(source);
    await publish(source, "before");
    await waitFor(() => seen.includes("before"));
    const raw = keep(await carrier.openCarrier(databaseUrl));
    const message = signMessage(identityOf(source.source), plainMessage(source.source, "twice"));
    await raw.publish([message]);
    await raw.publish([message, { ...message }]);
    await publish(source, "after");
    await waitFor(() => seen.includes("after"));
    expect(seen).toEqual(["before", "twice", "after"]);
  });

  it("passes over and counts what the service it names did not sign for that subject, and goes on", async () => {
    const source = await openSource();
    const { source: role } = source;
    const telemetry = silentTelemetry();
    const bus = keep(await openBus(role, source.store, telemetry));
    const seen = await collect(source, { bus, consumer: `${role}-strict` });
    const raw = keep(await carrier.openCarrier(databaseUrl));
    const signed = (name: string, by = role) => signMessage(identityOf(by), plainMessage(role, name));
    const stranger = generateMeshIdentity([role]);
    const unknown = new ServiceIdentity(stranger.identities.get(role) as never, stranger.trust, systemClock);
    const changed = signed("changed");
    changed.payload[changed.payload.length - 1] = (changed.payload.at(-1) as number) ^ 1;
    await raw.publish([
      plainMessage(role, "unsigned"),
      signMessage(unknown, plainMessage(role, "by a stranger's key")),
      signed("by another service", "source40"),
      changed,
      { ...signed("moved"), subject: `aimass.${role}.alias_moved` },
      { ...signed("of a foreign source"), subject: "aimass.source40.model_changed" },
      { id: `${role}-noise`, subject: `aimass.${role}.model_changed`, payload: Buffer.from([255, 255]) },
      signMessage(identityOf(role), { ...plainMessage(role, "misplaced"), subject: `aimass.${role}.alias_moved` }),
      signed("true"),
    ]);
    await waitFor(() => seen.length > 0);
    expect(seen).toEqual(["true"]);
    const scrape = await telemetry.metricsText();
    const refused = (reason: string) =>
      Number(scrape.match(new RegExp(`^aimass_events_refused_total\\{.*reason="${reason}".*\\} (\\d+)`, "m"))?.[1]);
    expect({ unsigned: refused("unsigned"), forged: refused("forged"), subject: refused("subject") }).toEqual({
      unsigned: 3,
      forged: 2,
      subject: 3,
    });
  });

  it("shares the work between processes with one consumer name, and goes on where it was after a restart", async () => {
    const source = await openSource();
    const first = new AbortController();
    const seenFirst = await collect(source, { signal: first.signal });
    const otherBus = keep(await openBus(source.source, source.store));
    const seenSecond = await collect(source, { bus: otherBus });
    for (const name of names(10)) await publish(source, name);
    await waitFor(() => seenFirst.length + seenSecond.length >= 10);
    first.abort();
    for (const name of names(10, "m")) await publish(source, name);
    await waitFor(() => seenSecond.includes("m9"));
    expect([...new Set([...seenFirst, ...seenSecond])].sort()).toEqual([...names(10), ...names(10, "m")].sort());
    expect(seenSecond.filter((name) => name.startsWith("m"))).toEqual(names(10, "m"));
  });

  it("keeps what waits in the outbox when the process dies before it is published, and another process publishes it", async () => {
    const source = await openSource();
    await source.bus[Symbol.asyncDispose]();
    // Written by a process whose relay never ran.
    for (const name of names(3)) await publish(source, name);
    const successor = { ...source, bus: keep(await openBus(source.source, source.store)) };
    const seen = await collect(successor);
    await waitFor(() => seen.length === 3);
    expect(seen).toEqual(names(3));
    await waitFor(async () => (await source.store.pool.query(`select 1 from ${source.source}.outbox`)).rowCount === 0);
  });

  it("loses nothing of a process that is killed the moment it has committed", async () => {
    const source = await openSource();
    await source.bus[Symbol.asyncDispose]();
    const bus = JSON.stringify({
      ...{ source: source.source, databaseUrl, natsUrl: carrier.natsUrl },
      ...{ identity: identities.get(source.source), trust },
    });
    const script = join(import.meta.dirname, "dying-publisher.ts");
    const publisher = spawn(process.execPath, [script], { env: { ...process.env, TEST_BUS: bus }, stdio: "inherit" });
    const signal = await new Promise((resolve) => publisher.on("exit", (_, by) => resolve(by)));
    expect(signal).toBe("SIGKILL");
    const seen = await collect({ ...source, bus: keep(await openBus(source.source, source.store)) });
    await waitFor(() => seen.includes("n19"));
    expect([...new Set(seen)]).toEqual(names(20));
  });

  it("loses nothing when the carrier is killed and comes back", async () => {
    const source = await openSource();
    const seen = await collect(source);
    await publish(source, "before");
    await waitFor(() => seen.includes("before"));
    await carrier.kill();
    const during = carrier.databaseUrl === undefined ? ["during"] : [];
    for (const name of during) await publish(source, name);
    await carrier.revive();
    await waitFor(() => publish(source, "after"));
    await waitFor(() => seen.includes("after"));
    expect([...new Set(seen)]).toEqual(["before", ...during, "after"]);
  });

  it("subscribes while the carrier is away, once it is back", async () => {
    const source = await openSource();
    await carrier.kill();
    const subscribing = collect(source);
    await carrier.revive();
    const seen = await subscribing;
    await waitFor(() => publish(source, "hello"));
    await waitFor(() => seen.includes("hello"));
  });
}

const roles = Array.from({ length: 40 }, (_, index) => `source${index + 1}`);
const { identities, trust } = generateMeshIdentity(roles);
const identityOf = (role: string) => new ServiceIdentity(identities.get(role) as never, trust, systemClock);

/** An event as it was before events were signed, or as a stranger makes it. */
function plainMessage(source: string, resource: string): CarrierMessage {
  const id = `${source}-${resource}`;
  const event = create(EventSchema, { id, source, resource, payload: { case: "modelChanged", value: {} } });
  return { id, subject: `aimass.${source}.model_changed`, payload: toBinary(EventSchema, event) };
}

interface Source {
  readonly source: string;
  readonly store: Store<unknown>;
  readonly bus: EventBus;
}
