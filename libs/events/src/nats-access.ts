import { randomBytes } from "node:crypto";
import { consumersOf } from "./consumers.ts";
import { streamName } from "./jetstream-setup.ts";

/** The roles that get credentials. */
export const natsRoles: readonly string[] = Object.keys(consumersOf);

/** A user of the NATS server for each role. */
export type NatsPasswords = ReadonlyMap<string, string>;

/** Fresh passwords. */
export function makeNatsPasswords(): NatsPasswords {
  return new Map(natsRoles.map((role) => [role, randomBytes(24).toString("base64url")]));
}

/** NATS_URL of a role. */
export function natsUrl(role: string, passwords: NatsPasswords, host: string): string {
  return `nats://${role}:${passwords.get(role)}@${host}:4222`;
}

/**
 * The configuration of a NATS server that lets in these users alone: each publishes below its own source, holds its own consumers of the events and hears the answers to its
 * own questions; nobody deletes or changes the stream.
 */
export function natsServerConfig(passwords: NatsPasswords, storeDirectory: string): string {
  const users = [...passwords].map(([role, password]) => {
    const permissions = {
      publish: { allow: publishSubjects(role) },
      subscribe: { allow: [`_INBOX.${role}.>`] },
    };
    return `    ${JSON.stringify({ user: role, password, permissions })}`;
  });
  return `jetstream { store_dir: ${JSON.stringify(storeDirectory)} }\nauthorization {\n  users = [\n${users.join(",\n")}\n  ]\n}\n`;
}

function publishSubjects(role: string): string[] {
  const stream = streamName;
  const consumers = (consumersOf[role] ?? []).flatMap((name) => [
    `$JS.API.CONSUMER.INFO.${stream}.${name}`,
    `$JS.API.CONSUMER.CREATE.${stream}.${name}`,
    `$JS.API.CONSUMER.DURABLE.CREATE.${stream}.${name}`,
    `$JS.API.CONSUMER.MSG.NEXT.${stream}.${name}`,
    `$JS.ACK.${stream}.${name}.>`,
  ]);
  const shared = ["$JS.API.INFO", `$JS.API.STREAM.INFO.${stream}`, `$JS.API.STREAM.CREATE.${stream}`];
  return [`aimass.${role}.>`, ...shared, ...consumers];
}
