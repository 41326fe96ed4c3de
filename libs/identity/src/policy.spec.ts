import { createHash, sign } from "node:crypto";
import { Effect, Level, type PolicyEntry, PolicyEntrySchema } from "@aimass/api/auth";
import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { signAccessToken } from "./access-token.ts";
import { createApiKey } from "./credential.ts";
import { generateSigningKey, importPrivateJwk, rawPublicKey } from "./ed25519.ts";
import { toBase64url } from "./encoding.ts";
import { signJwt } from "./jwt.ts";
import type { Policy } from "./policy.ts";
import { levelName, policyEntryKey } from "./policy-entry.ts";
import { anonymous, type Principal, servicePrincipal } from "./principal.ts";
import { enforcerWith, fullUpdate, grantEntry, principalEntry, stillClock } from "./testing/policy-fixture.ts";
import { levelNames, levelVerbs, type RoleName, roleVerbs, verbs } from "./verbs.ts";

const now = 1_700_000_000_000;
const user = (id: string): Principal => ({ kind: "user", id, groups: [], roles: [] });
const ada = user("user:ada");
const bearer = (text: string) => ({ kind: "bearer", text }) as const;

const signing = generateSigningKey();
const signingKey = { keyId: signing.keyId, privateKey: importPrivateJwk(signing.privateJwk) };
const signingEntry = create(PolicyEntrySchema, {
  key: policyEntryKey.signingKey(signing.keyId),
  entry: { case: "signingKey", value: { keyId: signing.keyId, publicKey: rawPublicKey(signing.publicJwk) } },
});

function tokenFor(principal: string, nowMs = now): string {
  return signAccessToken(signingKey, { principal, sessionId: "s1", id: "t1", generation: 3, nowMs }).text;
}

describe("Policy.decide()", () => {
  it("decides like a naive evaluator over random policies", () => {
    const subject = fc.constantFrom("user:ada", "user:bob", "group:g", "group:h", "anonymous");
    const resource = fc.constantFrom("*", "p", "q", "p.m", "p.n", "p.m@a", "p.m@b", "q.m");
    const verb = fc.constantFrom("model.view", "model.infer", "alias.move", "grant.write", "node.view", "code.run");
    const grant = fc.record({
      subject,
      resource,
      level: fc.constantFrom(Level.UNSPECIFIED, Level.VIEW, Level.INFER, Level.DEPLOY, Level.MANAGE),
      verbs: fc.uniqueArray(verb, { maxLength: 2 }),
      effect: fc.constantFrom(Effect.ALLOW, Effect.ALLOW, Effect.DENY),
      expires: fc.constantFrom(undefined, now - 1, now, now + 1),
    });
    const principal = fc.record({
      groups: fc.subarray(["g", "h"]),
      roles: fc.subarray(["admin", "operator", "auditor"], { maxLength: 1 }),
      disabled: fc.boolean(),
    });
    const asked = fc.record({ who: fc.constantFrom("user:ada", "user:bob", "anonymous"), verb, resource });
    fc.assert(
      fc.property(
        fc.array(grant, { maxLength: 10 }),
        fc.option(principal),
        fc.array(asked, { minLength: 1, maxLength: 8 }),
        (grants, facts, questions) => {
          const entries = grants.map(({ expires, ...rest }, i) =>
            grantEntry({ id: `g${i}`, ...rest, ...(expires ? { expiresAt: timestampFromMs(expires) } : {}) }),
          );
          if (facts !== null) entries.push(principalEntry("user:ada", facts));
          const { policy } = enforcerWith(entries, stillClock(now));
          for (const q of [...questions, ...questions]) {
            const who = q.who === "anonymous" ? anonymous : user(q.who);
            expect(policy.allows(who, q.verb, q.resource, now)).toBe(naive(entries, q));
          }
        },
      ),
      { numRuns: 600 },
    );
  });

  it("lets an explicit deny win over every allow and role but admin", () => {
    const { policy } = enforcerWith(
      [
        principalEntry("user:ada", { groups: ["g"], roles: ["operator"] }),
        principalEntry("user:root", { roles: ["admin"] }),
        grantEntry({ id: "1", level: Level.MANAGE }),
        grantEntry({ id: "2", subject: "group:g", resource: "default.m", level: Level.VIEW, effect: Effect.DENY }),
      ],
      stillClock(now),
    );
    expect(policy.decide(ada, "model.view", "default.m", now)).toMatchObject({ allowed: false, grantId: "2" });
    expect(policy.decide(ada, "model.infer", "default.m", now)).toMatchObject({ allowed: true, grantId: "1" });
    expect(policy.allows(user("user:root"), "model.view", "default.m", now)).toBe(true);
  });

  it("counts a grant on an alias for calls through that alias alone", () => {
    const entries = [
      principalEntry("user:ada"),
      grantEntry({ id: "1", resource: "p.m@champion", level: Level.UNSPECIFIED, verbs: ["alias.move", "model.infer"] }),
    ];
    const { policy } = enforcerWith(entries, stillClock(now));
    expect(policy.allows(ada, "alias.move", "p.m@champion", now)).toBe(true);
    expect(policy.allows(ada, "model.infer", "p.m@champion", now)).toBe(true);
    expect(policy.allows(ada, "model.infer", "p.m@other", now)).toBe(false);
    expect(policy.allows(ada, "model.infer", "p.m", now)).toBe(false);
    expect(policy.allowsWithin(ada, "model.infer", "p", now)).toBe(true);
    expect(policy.allowsWithin(ada, "model.view", "p", now)).toBe(false);
  });

  it("stops at the moment a remembered grant expires", () => {
    const entries = [principalEntry("user:ada"), grantEntry({ id: "1", expiresAt: timestampFromMs(now + 5000) })];
    const { policy } = enforcerWith(entries, stillClock(now));
    expect(policy.allows(ada, "model.infer", "default.m", now)).toBe(true);
    expect(policy.allows(ada, "model.infer", "default.m", now + 4999)).toBe(true);
    expect(policy.allows(ada, "model.infer", "default.m", now + 5000)).toBe(false);
  });

  it("names the group's member by the newest snapshot, not by an older Principal", () => {
    const clock = stillClock(now);
    const entries = [principalEntry("user:ada", { groups: ["g"] }), grantEntry({ id: "1", subject: "group:g" })];
    const { auth, store, policy } = enforcerWith(entries, clock);
    const old = policy.resolve("user:ada");
    expect(policy.allows(old, "model.infer", "default.m", now)).toBe(true);
    const later = [principalEntry("user:ada"), entries[1] as PolicyEntry];
    store.apply(fullUpdate(auth, later, { version: 2n, issuedAtMs: now }));
    expect(policy.allows(old, "model.infer", "default.m", now)).toBe(false);
  });

  it("refuses with UNAVAILABLE once the snapshot is older than the project allows", () => {
    const project = (name: string, seconds: bigint) =>
      create(PolicyEntrySchema, {
        key: policyEntryKey.project(name),
        entry: { case: "project", value: { name, maxSnapshotAgeSeconds: seconds } },
      });
    const entries = [
      project("strict", 0n),
      project("hour", 3600n),
      project("long", 10_000_000n),
      grantEntry({ id: "1", subject: "anonymous", resource: "*" }),
    ];
    const { policy } = enforcerWith(entries, stillClock(now));
    const at = (resource: string, seconds: number) => () =>
      policy.allows(anonymous, "model.infer", resource, now + seconds * 1000);
    expect(at("strict.m", 15)()).toBe(true);
    expect(at("strict.m", 16)).toThrowError(/16 s old; for strict\.m it may be 15 s/);
    expect(at("hour.m", 3600)()).toBe(true);
    expect(at("hour.m", 3601)).toThrowError(expect.objectContaining({ code: "UNAVAILABLE", reason: "POLICY_STALE" }));
    expect(at("other.m", 86_400)()).toBe(true);
    expect(at("other.m", 86_401)).toThrowError(/86401 s old/);
    expect(at("long.m", 86_401)).toThrowError(/86401 s old/);
    expect(policy.allows(servicePrincipal("router"), "model.view", "strict.m", now + 1e9)).toBe(true);
  });

  it("gives services what their table says and nothing else", () => {
    const { policy } = enforcerWith([], stillClock(now));
    expect(policy.allows(servicePrincipal("scheduler"), "artifact.read", "default", now)).toBe(true);
    expect(policy.allows(servicePrincipal("scheduler"), "grant.write", "default", now)).toBe(false);
    expect(policy.allows(servicePrincipal("constructor"), "model.view", "default", now)).toBe(false);
  });
});

describe("Policy.authenticate()", () => {
  const entries = [principalEntry("user:ada", { groups: ["g"], roles: ["auditor"] }), signingEntry];
  const { policy } = enforcerWith(entries, stillClock(now));
  const refused = (text: string, at = now, by: Policy = policy) =>
    expect(() => by.authenticate(bearer(text), at)).toThrowError(expect.objectContaining({ code: "UNAUTHENTICATED" }));

  it("takes a token the auth service signed, until half a minute past its end", () => {
    const text = tokenFor("user:ada");
    const expected = { kind: "user", id: "user:ada", groups: ["g"], roles: ["auditor"] };
    expect(policy.authenticate(bearer(text), now)).toEqual(expected);
    expect(policy.authenticate(bearer(text), now + 629_000)).toEqual(expected);
    refused(text, now + 631_000);
  });

  it("takes no credential for anonymous", () => {
    expect(policy.authenticate(undefined, now)).toBe(anonymous);
  });

  it("refuses every token cut short or changed in one character", () => {
    const text = tokenFor("user:ada");
    for (let length = 0; length < text.length; length += 7) refused(text.slice(0, length));
    for (let i = 0; i < text.length; i += 5) {
      refused(`${text.slice(0, i)}${text[i] === "A" ? "B" : "A"}${text.slice(i + 1)}`);
    }
    refused(`${text}A`);
    refused(`${text}.`);
  });

  it("refuses alg=none, a MAC made with the public key, and a foreign signature", () => {
    const [, body] = tokenFor("user:ada").split(".");
    const encode = (value: object) => toBase64url(Buffer.from(JSON.stringify(value)));
    const none = encode({ alg: "none", typ: "at+jwt", kid: signing.keyId });
    refused(`${none}.${body}.`);
    refused(`${none}.${body}.${"A".repeat(86)}`);
    const hmac = `${encode({ alg: "HS256", typ: "at+jwt", kid: signing.keyId })}.${body}`;
    refused(`${hmac}.${toBase64url(createHash("sha256").update(hmac).update(signing.publicJwk.x).digest())}`);
    const other = importPrivateJwk(generateSigningKey().privateJwk);
    const honest = `${encode({ alg: "EdDSA", typ: "at+jwt", kid: signing.keyId })}.${body}`;
    refused(`${honest}.${toBase64url(sign(null, Buffer.from(honest), other))}`);
  });

  it.each([
    ["another audience", { aud: "elsewhere" }, "at+jwt"],
    ["another issuer", { iss: "elsewhere" }, "at+jwt"],
    ["another kind", {}, "aimass-service+jwt"],
    ["a life that is too long", { exp: (now + 6_000_000) / 1000 }, "at+jwt"],
    ["a start in the future", { iat: (now + 60_000) / 1000 }, "at+jwt"],
    ["an end that is no number", { exp: "never" }, "at+jwt"],
    ["a service for a subject", { sub: "service:router" }, "at+jwt"],
    ["a subject nobody knows", { sub: "user:eve" }, "at+jwt"],
  ])("refuses a token with %s though its signature fits", (_, changes, type) => {
    const claims = {
      iss: "aimass-auth",
      aud: "aimass",
      sub: "user:ada",
      sid: "s",
      iat: now / 1000,
      exp: now / 1000 + 600,
    };
    expect(policy.authenticate(bearer(signJwt(signingKey, "at+jwt", claims)), now).id).toBe("user:ada");
    refused(signJwt(signingKey, type, { ...claims, ...changes } as typeof claims));
  });

  it("refuses a token it knows once its signing key, its user or its session is gone", () => {
    const text = tokenFor("user:ada");
    const withChange = (changed: PolicyEntry[]) => {
      const { auth, store } = enforcerWith(entries, stillClock(now));
      store.policy.authenticate(bearer(text), now);
      store.apply(fullUpdate(auth, changed, { version: 2n, issuedAtMs: now }));
      return store.policy;
    };
    refused(text, now, withChange([principalEntry("user:ada")]));
    refused(text, now, withChange([signingEntry]));
    refused(text, now, withChange([principalEntry("user:ada", { disabled: true }), signingEntry]));
    const ended = (atMs: number) =>
      create(PolicyEntrySchema, {
        key: "principal/user:ada",
        entry: { case: "principal", value: { id: "user:ada", tokensNotBefore: timestampFromMs(atMs) } },
      });
    const inGeneration = (tokenGeneration: bigint) =>
      create(PolicyEntrySchema, {
        key: "principal/user:ada",
        entry: {
          case: "principal",
          value: { id: "user:ada", tokenGeneration, tokensNotBefore: timestampFromMs(now + 7_200_000) },
        },
      });
    refused(text, now, withChange([inGeneration(4n), signingEntry]));
    expect(withChange([inGeneration(3n), signingEntry]).authenticate(bearer(text), now).id).toBe("user:ada");
    // One of an earlier release.
    const times = { iat: now / 1000, exp: now / 1000 + 600 };
    const plain = signJwt(signingKey, "at+jwt", { iss: "aimass-auth", aud: "aimass", sub: "user:ada", ...times });
    refused(plain, now, withChange([ended(now + 1), signingEntry]));
    expect(withChange([ended(now), signingEntry]).authenticate(bearer(plain), now).id).toBe("user:ada");
  });

  it("takes an API key while it is in the snapshot and has not expired", () => {
    const key = createApiKey();
    const entry = create(PolicyEntrySchema, {
      key: policyEntryKey.apiKey(key.id),
      entry: {
        case: "apiKey",
        value: {
          id: key.id,
          secretSha256: key.secretSha256,
          principal: "service-account:ci",
          expiresAt: timestampFromMs(now + 1000),
        },
      },
    });
    const { auth, store } = enforcerWith([principalEntry("service-account:ci"), entry], stillClock(now));
    expect(store.policy.authenticate(bearer(key.text), now)).toMatchObject({
      kind: "service-account",
      id: "service-account:ci",
    });
    refused(`${key.text.slice(0, -1)}${key.text.endsWith("A") ? "B" : "A"}`, now, store.policy);
    refused(createApiKey().text, now, store.policy);
    refused(key.text, now + 1000, store.policy);
    store.apply(fullUpdate(auth, [principalEntry("service-account:ci")], { version: 2n, issuedAtMs: now }));
    refused(key.text, now, store.policy);
  });
});

/** The rules of the README, read out one after the other. */
function naive(entries: readonly PolicyEntry[], q: { who: string; verb: string; resource: string }): boolean {
  const facts = entries.map((e) => e.entry).find((e) => e.case === "principal" && e.value.id === q.who)?.value as
    | { groups: string[]; roles: string[]; disabled: boolean }
    | undefined;
  if (q.who !== "anonymous" && (facts === undefined || facts.disabled)) return false;
  if (facts?.roles.includes("admin")) return true;
  const subjects = [q.who, "anonymous", ...(facts?.groups.map((g) => `group:${g}`) ?? [])];
  const reaches = (granted: string) =>
    granted === "*" ||
    granted === q.resource ||
    (q.resource.startsWith(granted) && /^[.@]/.test(q.resource.slice(granted.length)));
  const matching = entries.flatMap(({ entry }) => {
    if (entry.case !== "grant") return [];
    const { subject, resource, level, verbs: single, expiresAt, effect } = entry.value;
    const name = levelName(level);
    const covers = single.includes(q.verb) || (name !== undefined && levelVerbs[name].has(q.verb));
    const alive = expiresAt === undefined || Number(expiresAt.seconds) * 1000 + expiresAt.nanos / 1e6 > now;
    return subjects.includes(subject) && reaches(resource) && covers && alive ? [effect] : [];
  });
  if (matching.includes(Effect.DENY)) return false;
  if (facts?.roles.some((role) => roleVerbs[role as RoleName].has(q.verb))) return true;
  return matching.includes(Effect.ALLOW);
}

describe("the vocabulary", () => {
  it("gives each level all verbs of the one below, and admins all there are", () => {
    const levels = levelNames.map((name) => [...levelVerbs[name]]);
    for (const [i, lower] of levels.slice(0, -1).entries())
      expect(levels[i + 1]).toEqual(expect.arrayContaining(lower));
    expect([...roleVerbs.admin].sort()).toEqual([...verbs].sort());
    expect(levelVerbs.manage.has("code.run")).toBe(false);
  });
});
