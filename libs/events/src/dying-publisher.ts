/**
 * A process for a test: commits twenty events and dies by SIGKILL the moment the last one is committed, wherever its relay is by then.
 * Environment: TEST_BUS is JSON { source, databaseUrl, natsUrl?, identity, trust }, the last two documents of a ServiceIdentity.
 */
import { systemClock } from "@aimass/core";
import { ServiceIdentity } from "@aimass/identity";
import { openStore } from "@aimass/store";
import { silentTelemetry } from "@aimass/telemetry";
import { openEventBus } from "./event-bus.ts";

const { source, databaseUrl, natsUrl, identity, trust } = JSON.parse(process.env.TEST_BUS ?? "{}");
if (source === undefined || databaseUrl === undefined) throw new Error("TEST_BUS is not set.");
const store = await openStore<unknown>({ url: databaseUrl, schema: source, migrations: [] });
const bus = await openEventBus({
  identity: new ServiceIdentity(identity, trust, systemClock),
  store,
  natsUrl,
  databaseUrl,
  clock: systemClock,
  telemetry: silentTelemetry(),
});
for (let index = 0; index < 20; index++) {
  const event = { resource: `n${index}`, payload: { case: "modelChanged", value: {} } } as const;
  await store.withTransaction((tx) => bus.publishFrom(tx, event));
}
process.kill(process.pid, "SIGKILL");
