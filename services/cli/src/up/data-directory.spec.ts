import { join } from "node:path";
import { systemClock } from "@aimass/core";
import { createMeshIdentity, meshRoles, revokeNodeIdentity, ServiceIdentity } from "@aimass/identity";
import { tempDirectory } from "@aimass/testkit";
import { describe, expect, it } from "vitest";
import { openDataDirectory } from "./data-directory.ts";

describe("the keys of a data directory", () => {
  it("of an older version get one for this machine, and the one of all machines is revoked", async () => {
    await using folder = await tempDirectory();
    const keys = join(folder.path, "keys");
    await createMeshIdentity(keys, [...meshRoles, "inference"]);
    const load = (file: string) => ServiceIdentity.load(file, join(keys, "trust.json"), systemClock);
    const old = await load(join(keys, "inference.identity.json"));
    const router = await load(join(keys, "router.identity.json"));
    await using directory = await openDataDirectory(folder.path);
    const scheduler = await load(directory.identityFile("scheduler"));
    const own = await load(directory.identityFile("inference"));
    expect(scheduler.verify(own.token())).toMatchObject({ role: "inference", node: "local" });
    expect(scheduler.verify(router.token()).role).toBe("router");
    expect(() => scheduler.verify(old.token())).toThrow("The key of the role inference was revoked.");
  });

  it("that change are looked at again by those that run, for calls and for streams that stand", async () => {
    await using folder = await tempDirectory();
    await using directory = await openDataDirectory(folder.path);
    const own = await ServiceIdentity.load(directory.identityFile("inference"), directory.trustFile, systemClock);
    let monotonic = 0;
    const clock = { ...systemClock, now: () => Date.now(), monotonic: () => monotonic };
    const scheduler = await ServiceIdentity.load(directory.identityFile("scheduler"), directory.trustFile, clock);
    const sender = scheduler.verify(own.token());
    scheduler.assertTrusted(sender);
    await revokeNodeIdentity(join(folder.path, "keys"), "local");
    monotonic += 1000;
    expect(() => scheduler.assertTrusted(sender)).toThrow("The key of the node local was revoked.");
    expect(() => scheduler.verify(own.token())).toThrow("The key of the node local was revoked.");
  });
});
