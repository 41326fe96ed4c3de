import { systemClock } from "@aimass/core";
import { describeWith, expectNoOpenHandles, startNats } from "@aimass/testkit";
import { eventCarrierContract } from "./event-carrier.contract.ts";
import { JetstreamCarrier } from "./jetstream-carrier.ts";

expectNoOpenHandles();

describeWith("ci", { needs: "nats-server" }, "events over JetStream", () => {
  eventCarrierContract(async () => {
    const server = await startNats();
    if (server === undefined) throw new Error("nats-server is gone from this machine.");
    return {
      natsUrl: server.url,
      openCarrier: async () => new JetstreamCarrier({ natsUrl: server.url, role: "source1", clock: systemClock }),
      kill: server.kill,
      revive: server.revive,
      [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
    };
  });
});
