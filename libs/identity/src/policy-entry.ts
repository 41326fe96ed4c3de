import type { KeyObject } from "node:crypto";
import { Effect, type Grant, Level, type PolicyEntry } from "@aimass/api/auth";
import { type Timestamp, timestampMs } from "@bufbuild/protobuf/wkt";
import { importRawPublicKey } from "./ed25519.ts";
import { type LevelName, levelNames, levelVerbs } from "./verbs.ts";

/** What the snapshot says of a principal. */
export interface PrincipalFacts {
  readonly id: string;
  readonly groups: readonly string[];
  readonly roles: readonly string[];
  readonly disabled: boolean;
  /** Access tokens of earlier generations are refused. */
  readonly tokenGeneration: number;
  /** Of access tokens without a generation, those issued before this moment are refused; 0 for none. */
  readonly tokensNotBeforeMs: number;
}

/** What the snapshot says of an API key. */
export interface ApiKeyFacts {
  readonly secretSha256: Uint8Array;
  readonly principal: string;
  readonly expiresAtMs: number;
}

/** A grant as it is evaluated: level and verbs made one set. */
export interface IndexedGrant {
  readonly id: string;
  readonly subject: string;
  readonly resource: string;
  readonly verbs: ReadonlySet<string>;
  readonly deny: boolean;
  readonly expiresAtMs: number;
}

/** One decoded fact of the policy. */
export type PolicyFact =
  | { readonly kind: "principal"; readonly facts: PrincipalFacts }
  | { readonly kind: "apiKey"; readonly id: string; readonly facts: ApiKeyFacts }
  | { readonly kind: "grant"; readonly grant: IndexedGrant }
  | { readonly kind: "signingKey"; readonly keyId: string; readonly key: KeyObject }
  | { readonly kind: "endedSession"; readonly id: string }
  | { readonly kind: "project"; readonly name: string; readonly maxSnapshotAgeMs: number | undefined };

/** The keys that name the facts of a policy. */
export const policyEntryKey = {
  principal: (id: string) => `principal/${id}`,
  apiKey: (id: string) => `key/${id}`,
  grant: (id: string) => `grant/${id}`,
  signingKey: (keyId: string) => `jwk/${keyId}`,
  project: (name: string) => `project/${name}`,
  endedSession: (id: string) => `session/${id}`,
} as const;

/** What 0 seconds of a project's age limit means: three missed signs of life. */
export const freshMs = 15_000;

/** Decodes an entry; undefined for a kind this version does not know, which decides nothing and so can only make access narrower. */
export function readPolicyEntry(message: PolicyEntry): PolicyFact | undefined {
  const { case: kind, value } = message.entry;
  switch (kind) {
    case "principal":
      return {
        kind,
        facts: {
          id: value.id,
          groups: Object.freeze([...value.groups]),
          roles: Object.freeze([...value.roles]),
          disabled: value.disabled,
          tokenGeneration: Number(value.tokenGeneration),
          tokensNotBeforeMs: value.tokensNotBefore === undefined ? 0 : timestampMs(value.tokensNotBefore),
        },
      };
    case "apiKey":
      return {
        kind,
        id: value.id,
        facts: {
          secretSha256: value.secretSha256,
          principal: value.principal,
          expiresAtMs: endMs(value.expiresAt),
        },
      };
    case "grant":
      return { kind, grant: indexGrant(value) };
    case "signingKey":
      return { kind, keyId: value.keyId, key: importRawPublicKey(value.publicKey) };
    case "project":
      return { kind, name: value.name, maxSnapshotAgeMs: projectAgeMs(value.maxSnapshotAgeSeconds) };
    case "endedSession":
      return { kind, id: value.id };
    default:
      return undefined;
  }
}

/** Makes a grant ready for evaluation. An effect that is not "allow" denies: what is not understood must not open a door. */
export function indexGrant(grant: Grant): IndexedGrant {
  const level = levelName(grant.level);
  return {
    id: grant.id,
    subject: grant.subject,
    resource: grant.resource,
    verbs: new Set([...(level === undefined ? [] : levelVerbs[level]), ...grant.verbs]),
    deny: grant.effect !== Effect.ALLOW,
    expiresAtMs: endMs(grant.expiresAt),
  };
}

/** The name of a level of the API; undefined for LEVEL_UNSPECIFIED. */
export function levelName(level: Level): LevelName | undefined {
  return level === Level.UNSPECIFIED ? undefined : levelNames[level - 1];
}

function endMs(timestamp: Timestamp | undefined): number {
  return timestamp === undefined ? Number.POSITIVE_INFINITY : timestampMs(timestamp);
}

function projectAgeMs(seconds: bigint | undefined): number | undefined {
  return seconds === undefined ? undefined : Math.max(Number(seconds) * 1000, freshMs);
}
