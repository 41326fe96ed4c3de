import { type ReadGrant, type ReadGrantBody, ReadGrantBodySchema, ReadGrantSchema } from "@aimass/api/registry";
import { AimassError } from "@aimass/core";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { timestampFromMs, timestampMs } from "@bufbuild/protobuf/wkt";
import type { ServiceIdentity, ServiceSender } from "./service-identity.ts";

/** What a scheduler says: this machine was assigned this version, which has these files. */
export interface ReadGrantFacts {
  /** Undefined where machines share a key. */
  readonly node: string | undefined;
  readonly project: string;
  readonly model: string;
  readonly version: bigint;
  readonly sha256: readonly Uint8Array[];
}

const domain = Buffer.from("aimass.registry.v1.ReadGrant\0");
const lifeMs = 120_000;
/** How far the clocks of two machines may be apart, in milliseconds. */
const skewMs = 30_000;

/** `identity` must be a scheduler's for a registry to accept it. */
export function signReadGrant(identity: ServiceIdentity, facts: ReadGrantFacts, nowMs: number): ReadGrant {
  const body = toBinary(
    ReadGrantBodySchema,
    create(ReadGrantBodySchema, {
      ...facts,
      node: facts.node ?? "",
      sha256: [...facts.sha256],
      issuedAt: timestampFromMs(nowMs),
      expiresAt: timestampFromMs(nowMs + lifeMs),
    }),
  );
  return create(ReadGrantSchema, { body, ...identity.sign(signingBytes(body)) });
}

/** Makes sure that a machine may read an artifact by a grant. Throws PERMISSION_DENIED, with a reason for each way in which it may not. */
export function openReadGrant(
  identity: ServiceIdentity,
  grant: ReadGrant | undefined,
  asked: { readonly sender: ServiceSender; readonly sha256: Uint8Array; readonly nowMs: number },
): ReadGrantBody {
  const { sender, sha256, nowMs } = asked;
  const reader = sender.node === undefined ? "A node" : `The node ${sender.node}`;
  const digest = `${Buffer.from(sha256).toString("hex").slice(0, 12)}…`;
  if (grant === undefined) throw denied("GRANT_MISSING", `${reader} may read ${digest} only by a scheduler's grant.`);
  const body = verifiedBody(identity, grant);
  if (body === undefined)
    throw denied("GRANT_FORGED", `${reader} shows a grant that no scheduler of this mesh signed.`);
  if (body.node !== (sender.node ?? ""))
    throw denied("OTHER_NODE", `${reader} shows a grant of the node ${body.node}.`);
  const from = body.issuedAt === undefined ? Number.POSITIVE_INFINITY : timestampMs(body.issuedAt);
  const until = body.expiresAt === undefined ? 0 : timestampMs(body.expiresAt);
  if (nowMs < from - skewMs || nowMs > until + skewMs) {
    throw denied("GRANT_ENDED", `${reader} shows a grant for ${nameOf(body)} that does not hold now.`);
  }
  if (body.sha256.some((one) => Buffer.compare(one, sha256) === 0)) return body;
  throw denied("NOT_ASSIGNED", `${reader} was assigned ${nameOf(body)}, which has no file ${digest}.`);
}

function verifiedBody(identity: ServiceIdentity, grant: ReadGrant): ReadGrantBody | undefined {
  if (!identity.verifySignature(grant.keyId, "scheduler", signingBytes(grant.body), grant.signature)) return undefined;
  try {
    return fromBinary(ReadGrantBodySchema, grant.body);
  } catch {
    return undefined;
  }
}

function signingBytes(body: Uint8Array): Uint8Array {
  return Buffer.concat([domain, body]);
}

function nameOf({ project, model, version }: ReadGrantBody): string {
  return `${project}.${model}:${version}`;
}

function denied(reason: string, message: string): AimassError {
  return new AimassError("PERMISSION_DENIED", message, {
    reason,
    remedy: "Ask a scheduler for a grant: ReplicaService.GrantRead.",
  });
}
