import { mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "@aimass/core";
import { describe, expect, it } from "vitest";
import { createMeshIdentity, generateMeshIdentity } from "./mesh-identity.ts";
import { ServiceIdentity } from "./service-identity.ts";
import { stillClock, twoServices } from "./testing/policy-fixture.ts";

describe("ServiceIdentity", () => {
  it("is believed by the services that trust its key", () => {
    const { auth, router } = twoServices(systemClock);
    expect(auth.verify(router.token())).toEqual({ role: "router", instance: router.instance });
  });

  it("refuses a rogue node whose key nobody trusts", () => {
    const { auth } = twoServices(systemClock);
    const { router: rogue } = twoServices(systemClock);
    expect(() => auth.verify(rogue.token())).toThrowError(/unknown key/);
  });

  it("refuses a service that claims a role its key does not have", () => {
    const { identities, trust } = generateMeshIdentity(["auth", "inference"]);
    const own = identities.get("inference");
    if (own === undefined) throw new Error("missing");
    const forger = new ServiceIdentity({ ...own, role: "auth" }, trust, systemClock);
    const auth = new ServiceIdentity(identities.get("auth") ?? own, trust, systemClock);
    expect(() => auth.verify(forger.token())).toThrowError(/role/);
    const { keyId, signature } = forger.sign(new Uint8Array([1]));
    expect(auth.verifySignature(keyId, "auth", new Uint8Array([1]), signature)).toBe(false);
    expect(auth.verifySignature(keyId, "inference", new Uint8Array([1]), signature)).toBe(true);
    expect(auth.verifySignature(keyId, "inference", new Uint8Array([2]), signature)).toBe(false);
  });

  it("refuses a token it has seen before once that token has expired, and renews its own long before", () => {
    const clock = stillClock(1_700_000_000_000);
    const { auth, router } = twoServices(clock);
    const first = router.token();
    expect(auth.verify(first).role).toBe("router");
    clock.at += 149_000;
    expect(router.token()).toBe(first);
    clock.at += 2000;
    expect(router.token()).not.toBe(first);
    clock.at += 300_000;
    expect(() => auth.verify(first)).toThrowError(/expired/);
  });
});

describe("a clock that is two hours off and is set right", () => {
  const twoHours = 7_200_000;
  const now = 1_700_000_000_000;

  it.each([
    { name: "ahead", off: twoHours },
    { name: "behind", off: -twoHours },
  ])("leaves no token that nobody takes: $name", ({ off }) => {
    const clock = stillClock(now);
    const { auth, router } = twoServices(clock);
    auth.verify(router.token());
    clock.at += off;
    const wrong = router.token();
    clock.at = now + 1000;
    expect(router.token()).not.toBe(wrong);
    expect(auth.verify(router.token()).role).toBe("router");
  });

  it("leaves no token from the future remembered", () => {
    const clock = stillClock(now + twoHours);
    const { auth, router } = twoServices(clock);
    const wrong = router.token();
    auth.verify(wrong);
    clock.at = now;
    expect(() => auth.verify(wrong)).toThrowError(expect.objectContaining({ reason: "SERVICE_TOKEN_REFUSED" }));
  });

  it("renews by the monotonic clock while the time of day stands still", () => {
    const clock = { ...stillClock(now), elapsed: 0, monotonic: elapsedOf };
    const { router } = twoServices(clock);
    const first = router.token();
    clock.elapsed += 149_000;
    expect(router.token()).toBe(first);
    clock.at += 1;
    clock.elapsed += 2000;
    expect(router.token()).not.toBe(first);
  });

  it("drops a token that a peer refused, but not one that was just made", () => {
    const clock = { ...stillClock(now), elapsed: 0, monotonic: elapsedOf };
    const { router } = twoServices(clock);
    const first = router.token();
    router.dropToken();
    expect(router.token()).toBe(first);
    clock.at += 1;
    clock.elapsed += 1000;
    router.dropToken();
    expect(router.token()).not.toBe(first);
  });
});

function elapsedOf(this: { elapsed: number }): number {
  return this.elapsed;
}

describe("createMeshIdentity()", () => {
  it("writes files that load, the private ones readable by the owner alone", async () => {
    const directory = await mkdtemp(join(tmpdir(), "mesh-"));
    try {
      await createMeshIdentity(directory, ["auth", "router"]);
      const load = (role: string) =>
        ServiceIdentity.load(join(directory, `${role}.identity.json`), join(directory, "trust.json"), systemClock);
      const [auth, router] = await Promise.all([load("auth"), load("router")]);
      expect(auth.verify(router.token()).role).toBe("router");
      expect((await stat(join(directory, "auth.identity.json"))).mode & 0o777).toBe(0o600);
    } finally {
      await rm(directory, { recursive: true });
    }
  });

  it("leaves a file that is none of these to a sentence that names it", async () => {
    const directory = await mkdtemp(join(tmpdir(), "mesh-"));
    try {
      await writeFile(join(directory, "x.json"), "{}");
      const load = (file: string) =>
        ServiceIdentity.load(join(directory, file), join(directory, "trust.json"), systemClock);
      await expect(load("x.json")).rejects.toThrowError(/x\.json" is no identity file/);
      await expect(load("missing.json")).rejects.toThrowError(/missing\.json" cannot be read \(ENOENT\)/);
    } finally {
      await rm(directory, { recursive: true });
    }
  });
});
