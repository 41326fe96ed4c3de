import type { CreateApiKeyRequest } from "@aimass/api/auth";
import { AimassError } from "@aimass/core";
import { timestampDate } from "@bufbuild/protobuf/wkt";

const dayMs = 24 * 3_600_000;
const usualDays = 90;
/** The furthest end of a key that somebody without directory.manage makes. */
const furthestDays = 366;

/** When a new key ends; null: never. Throws INVALID_ARGUMENT for two ends at once, PERMISSION_DENIED for one too far away for the caller. */
export function keyEnd(
  request: Pick<CreateApiKeyRequest, "expiresAt" | "neverExpires">,
  caller: { readonly manages: boolean; readonly nowMs: number },
): Date | null {
  const { expiresAt, neverExpires } = request;
  if (neverExpires && expiresAt !== undefined) {
    throw new AimassError("INVALID_ARGUMENT", "The key has an end and is said to have none.", {
      field: "never_expires",
    });
  }
  const end = expiresAt === undefined ? new Date(caller.nowMs + usualDays * dayMs) : timestampDate(expiresAt);
  if (caller.manages) return neverExpires ? null : end;
  if (!neverExpires && end.getTime() <= caller.nowMs + furthestDays * dayMs) return end;
  throw new AimassError(
    "PERMISSION_DENIED",
    `Only those who manage the directory make keys for more than ${furthestDays} days.`,
    {
      reason: "KEY_END_TOO_FAR",
      field: neverExpires ? "never_expires" : "expires_at",
      remedy: `Take an end within ${furthestDays} days; without one it is ${usualDays} days.`,
    },
  );
}
