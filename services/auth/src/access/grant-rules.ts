import { Effect, type Grant, Level } from "@aimass/api/auth";
import { AimassError } from "@aimass/core";
import {
  isPrincipalName,
  isVerb,
  levelName,
  levelVerbs,
  type Policy,
  type Principal,
  parseResource,
  verbs,
} from "@aimass/identity";
import { timestampMs } from "@bufbuild/protobuf/wkt";

/** Verbs a caller without a credential may be given: reading and calling, never changing. */
const anonymousVerbs: ReadonlySet<string> = new Set([...levelVerbs.infer, "dataset.read", "artifact.read"]);

/** All verbs a grant is about. */
export function grantedVerbs(grant: Pick<Grant, "level" | "verbs">): ReadonlySet<string> {
  const name = levelName(grant.level);
  return new Set([...(name === undefined ? [] : levelVerbs[name]), ...grant.verbs]);
}

/** What there is to be granted and asked. */
export const verbsRemedy = `Verbs are ${verbs.join(", ")}.`;

/** Throws INVALID_ARGUMENT for a grant that makes no sense. */
export function assertGrant(grant: Grant, nowMs: number): void {
  if (!isSubject(grant.subject)) {
    throw invalid(
      "subject",
      `"${grant.subject}" is not a subject.`,
      'Write "user:NAME", "group:NAME", "service-account:NAME" or "anonymous".',
    );
  }
  if (parseResource(grant.resource) === undefined) {
    throw invalid(
      "resource",
      `"${grant.resource}" is not a resource.`,
      'Write "*", "project", "project.model" or "project.model@alias".',
    );
  }
  const unknown = grant.verbs.find((verb) => !isVerb(verb));
  if (unknown !== undefined) throw invalid("verbs", `"${unknown}" is not a verb.`, verbsRemedy);
  if (!(grant.level in Level)) throw invalid("level", `${grant.level} is not a level.`);
  if (grant.level === Level.UNSPECIFIED && grant.verbs.length === 0)
    throw invalid("level", "The grant has neither a level nor verbs.", "Give a level, such as infer, or verbs.");
  if (grant.effect !== Effect.ALLOW && grant.effect !== Effect.DENY)
    throw invalid("effect", "The grant says neither allow nor deny.", "Set EFFECT_ALLOW or EFFECT_DENY.");
  if (grant.expiresAt !== undefined && timestampMs(grant.expiresAt) <= nowMs)
    throw invalid("expires_at", "The grant would have expired already.");
  assertAnonymous(grant);
}

/**
 * Nobody gives what they do not have: every verb of the grant must be allowed to the giver on the resource. The same holds for taking back a deny, which
 * gives too. Throws PERMISSION_DENIED.
 */
export function assertMayGive(
  policy: Policy,
  giver: Principal,
  grant: Pick<Grant, "level" | "verbs" | "resource">,
  nowMs: number,
): void {
  for (const verb of grantedVerbs(grant)) {
    if (policy.allows(giver, verb, grant.resource, nowMs)) continue;
    throw new AimassError(
      "PERMISSION_DENIED",
      `${giver.id} may not ${verb} on ${grant.resource} and cannot decide over it for others.`,
      {
        reason: "GRANT_EXCEEDS_OWN",
        remedy: "Ask an admin, or leave that verb out.",
      },
    );
  }
}

function isSubject(subject: string): boolean {
  if (subject === "anonymous") return true;
  const colon = subject.indexOf(":");
  return (
    ["user", "group", "service-account"].includes(subject.slice(0, colon)) && isPrincipalName(subject.slice(colon + 1))
  );
}

function assertAnonymous(grant: Grant): void {
  if (grant.subject !== "anonymous" || grant.effect !== Effect.ALLOW) return;
  const tooMuch = [...grantedVerbs(grant)].find((verb) => !anonymousVerbs.has(verb));
  if (tooMuch !== undefined) {
    throw invalid("verbs", `Callers without a credential cannot be given ${tooMuch}.`, "Grant view or infer at most.");
  }
}

function invalid(field: string, message: string, remedy?: string): AimassError {
  return new AimassError("INVALID_ARGUMENT", message, {
    field: `grant.${field}`,
    ...(remedy === undefined ? {} : { remedy }),
  });
}
