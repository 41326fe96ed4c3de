import { systemClock } from "@aimass/core";
import { expectNoOpenHandles, startMortalPostgres } from "@aimass/testkit";
import { describe } from "vitest";
import { eventCarrierContract } from "./event-carrier.contract.ts";
import { PostgresCarrier } from "./postgres-carrier.ts";

expectNoOpenHandles();

describe("events over PostgreSQL", () => {
  eventCarrierContract(async () => {
    const server = await startMortalPostgres();
    return {
      databaseUrl: server.url,
      openCarrier: (databaseUrl) => PostgresCarrier.open({ databaseUrl, clock: systemClock }),
      kill: server.kill,
      revive: server.revive,
      [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
    };
  });
});
