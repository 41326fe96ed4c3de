import { randomBytes } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type ArtifactLocation, locateArtifacts, readArtifactVariables } from "@aimass/artifacts";
import { type Address, ConfigError, type Environment, readConfig, readListeners } from "@aimass/core";

/** What the auth service needs to know. */
export interface AuthConfig {
  readonly listen: Address;
  readonly adminListen: Address;
  readonly identityFile: string;
  readonly trustFile: string;
  /** Directory for the first admin password and the exported heads of the ledger; undefined: neither is written. */
  readonly stateDirectory: string | undefined;
  /** Gets each signed head of the ledger by POST; undefined: nobody does. */
  readonly auditWebhookUrl: string | undefined;
  /** The artifact storage, which gets each signed head of the ledger; undefined: none does. */
  readonly artifacts: ArtifactLocation | undefined;
  /** The registry is asked before grants on a model that is said to be gone are taken back. */
  readonly registryAddresses: readonly Address[];
  readonly databaseUrl: string;
  /** Empty: events over PostgreSQL. */
  readonly natsUrl: string;
  /** Encrypts the private signing keys in the database. */
  readonly secret: string;
  /** How long enforcers may go on by a snapshot without hearing anything. */
  readonly policyMaxAgeSeconds: number;
  readonly keyRotationHours: number;
  /** Passwords hashed at the same time; each takes 19 MiB and a processor for some 30 ms. */
  readonly passwordHashers: number;
  readonly env: Environment;
}

const shortestSecret = 16;

/** Reads the environment; throws ConfigError with everything that is wrong. */
export function readAuthConfig(env: Environment): AuthConfig {
  const config = readConfig(env, (v) => ({
    ...readListeners(v),
    identityFile: v.string("AIMASS_IDENTITY_FILE"),
    trustFile: v.string("AIMASS_TRUST_FILE"),
    stateDirectory: v.optional("AIMASS_STATE_DIR"),
    givenWebhook: v.secret("AIMASS_AUDIT_WEBHOOK_URL", ""),
    storage: readArtifactVariables(v),
    registryAddresses: v.addresses("AIMASS_REGISTRY_ADDRESSES"),
    databaseUrl: v.secret("AIMASS_DATABASE_URL"),
    natsUrl: v.secret("NATS_URL", ""),
    givenSecret: v.secret("AIMASS_AUTH_SECRET", ""),
    policyMaxAgeSeconds: v.integer("AIMASS_POLICY_MAX_AGE_SECONDS", {
      fallback: 86_400,
      minimum: 15,
      maximum: 31_536_000,
    }),
    keyRotationHours: v.integer("AIMASS_AUTH_KEY_ROTATION_HOURS", { fallback: 720, minimum: 1, maximum: 87_600 }),
    passwordHashers: v.integer("AIMASS_AUTH_PASSWORD_HASHERS", { fallback: 2, minimum: 1, maximum: 64 }),
  }));
  const { givenSecret, givenWebhook, storage, ...rest } = config;
  const auditWebhookUrl = checkWebhook(givenWebhook);
  const artifacts = locateArtifacts(storage.place, storage);
  const secret = findSecret(givenSecret, config.stateDirectory);
  return Object.freeze({ ...rest, env, auditWebhookUrl, artifacts, secret });
}

function checkWebhook(url: string): string | undefined {
  if (url === "") return undefined;
  if (URL.canParse(url) && /^https?:$/.test(new URL(url).protocol)) return url;
  throw new ConfigError(["AIMASS_AUDIT_WEBHOOK_URL is not an http or https address."]);
}

function findSecret(given: string, stateDirectory: string | undefined): string {
  if (given.length >= shortestSecret) return given;
  if (given !== "")
    throw new ConfigError([`AIMASS_AUTH_SECRET has ${given.length} characters; it must have at least 16.`]);
  if (stateDirectory !== undefined) return ownSecret(stateDirectory);
  throw new ConfigError(["AIMASS_AUTH_SECRET is not set, and without AIMASS_STATE_DIR there is no place to keep one."]);
}

/** A secret of this machine's own, made on first use. Processes on several machines must be given one. */
function ownSecret(stateDirectory: string): string {
  const file = join(stateDirectory, "auth-secret");
  mkdirSync(stateDirectory, { recursive: true });
  try {
    writeFileSync(file, `${randomBytes(32).toString("base64url")}\n`, { mode: 0o600, flag: "wx" });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  }
  return readFileSync(file, "utf8").trim();
}
