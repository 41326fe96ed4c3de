import { createHash, randomBytes, randomUUID } from "node:crypto";
import { type TokenPair, TokenPairSchema } from "@aimass/api/auth";
import { AimassError, type Clock } from "@aimass/core";
import { policyEntryKey, signAccessToken } from "@aimass/identity";
import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { AuthTransaction, Cause } from "../database.ts";
import type { AuthEvents } from "../events.ts";
import type { AttemptLimit } from "../passwords/attempt-limit.ts";
import type { PasswordHasher } from "../passwords/password-hasher.ts";
import type { PolicyChange, PolicyWriter } from "../policy/policy-change.ts";
import type { SigningKeys } from "../signing/signing-keys.ts";

const refreshLifeMs = 30 * 24 * 3_600_000;
/** Two clients that share a session may refresh at the same time; both succeed within this. */
const graceMs = 10_000;

export interface SessionsOptions {
  readonly writer: PolicyWriter;
  readonly keys: SigningKeys;
  readonly hasher: PasswordHasher;
  readonly attempts: AttemptLimit;
  readonly events: AuthEvents;
  readonly clock: Clock;
}

type Refreshed = {
  readonly kind: "refreshed";
  readonly principal: string;
  readonly sessionId: string;
  readonly token: string;
};

/** What became of a refresh token: the session goes on, or what ended it. */
type RefreshOutcome = Refreshed | { readonly kind: "refused" } | { readonly kind: "stolen" };

/** Sessions of people: a password becomes an access token and a refresh token that changes with every use. */
export class Sessions {
  readonly #o: SessionsOptions;

  constructor(options: SessionsOptions) {
    this.#o = options;
  }

  /** Throws UNAUTHENTICATED for a wrong name or password alike, RESOURCE_EXHAUSTED after too many attempts. */
  async signIn(request: {
    username: string;
    password: string;
    address: string;
    traceparent: string;
  }): Promise<TokenPair> {
    const { attempts, hasher, writer, events } = this.#o;
    const principal = `user:${request.username.slice(0, 64)}`;
    const source = { user: request.username.slice(0, 64), address: request.address };
    await attempts.begin(source);
    const user = await writer.store.db
      .selectFrom("principal")
      .select(["password_hash", "disabled"])
      .where("id", "=", principal)
      .executeTakeFirst();
    const fits = await hasher.verify(request.password, user?.password_hash);
    const cause = { actor: fits ? principal : "anonymous", traceparent: request.traceparent };
    if (!fits || user?.disabled !== false) {
      await writer.store.withTransaction((tx) => events.session(tx, cause, { kind: "sign_in_failed", principal }));
      throw new AimassError("UNAUTHENTICATED", "The user name or the password is wrong.", { reason: "SIGN_IN_FAILED" });
    }
    await attempts.succeed(source);
    const { sessionId, token } = await writer.store.withTransaction(async (tx) => {
      const opened = await this.#open(tx, principal);
      await events.session(tx, cause, { kind: "signed_in", principal });
      return opened;
    });
    return await this.#pair(principal, sessionId, token);
  }

  /** Throws UNAUTHENTICATED; for a token that was used before, the whole session has ended by then. */
  async refresh(refreshToken: string, traceparent: string): Promise<TokenPair> {
    const { value } = await this.#o.writer.change((change) => this.#refresh(change, refreshToken, traceparent));
    if (value.kind === "refreshed") return await this.#pair(value.principal, value.sessionId, value.token);
    throw new AimassError(
      "UNAUTHENTICATED",
      value.kind === "stolen"
        ? "The refresh token was used before; it may have been stolen, so the session was ended."
        : "The session has ended.",
      { reason: value.kind === "stolen" ? "REFRESH_REUSED" : "SESSION_ENDED", remedy: "Sign in again." },
    );
  }

  /** Ends the session of a refresh token; an unknown token is fine. An access token of it runs out by itself within ten minutes. */
  async signOut(refreshToken: string, traceparent: string): Promise<void> {
    await this.#o.writer.store.withTransaction(async (tx) => {
      const found = await findToken(tx, refreshToken);
      if (found === undefined || found.ended_at !== null) return;
      await endSessions(tx, this.#now(), { sessionId: found.session_id });
      const cause = { actor: found.principal, traceparent };
      await this.#o.events.session(tx, cause, { kind: "signed_out", principal: found.principal });
    });
  }

  /**
   * Replaces a user's own password, ends the user's sessions but `keepSession`, and refuses every access token made before: that one session goes on with
   * its refresh token. Throws UNAUTHENTICATED for a wrong current password.
   */
  async changePassword(
    request: { principal: string; current: string; next: string; keepSession: string | undefined; address: string },
    cause: Cause,
  ): Promise<void> {
    const { attempts, hasher, writer, events } = this.#o;
    const source = { user: request.principal.slice("user:".length), address: request.address };
    await attempts.begin(source);
    const query = writer.store.db.selectFrom("principal").select("password_hash").where("id", "=", request.principal);
    if (!(await hasher.verify(request.current, (await query.executeTakeFirst())?.password_hash))) {
      await writer.store.withTransaction((tx) =>
        events.session(tx, cause, { kind: "password_change_failed", principal: request.principal }),
      );
      throw new AimassError("UNAUTHENTICATED", "The current password is wrong.", {
        reason: "SIGN_IN_FAILED",
        field: "current_password",
      });
    }
    await attempts.succeed(source);
    const passwordHash = await hasher.hash(request.next, "new_password");
    await writer.change(async (change) => {
      await change.tx
        .updateTable("principal")
        .set({ password_hash: passwordHash })
        .where("id", "=", request.principal)
        .execute();
      await this.endAll(change, request.principal, request.keepSession);
      await events.principal(change.tx, cause, {
        principal: request.principal,
        change: "updated",
        detail: "password changed",
      });
    });
  }

  /** Ends a principal's sessions, but one perhaps, and refuses every access token made before. */
  async endAll(change: PolicyChange, principal: string, keepSession?: string): Promise<void> {
    await endSessions(change.tx, this.#now(), { principal, ...(keepSession === undefined ? {} : { keepSession }) });
    await refuseTokensBefore(change, principal, this.#now());
  }

  /** Forgets sessions that are long over. */
  async forgetOld(): Promise<void> {
    const before = new Date(this.#o.clock.now() - refreshLifeMs);
    await this.#o.writer.store.db
      .deleteFrom("session")
      .where((eb) => eb.or([eb("expires_at", "<", before), eb("ended_at", "<", before)]))
      .execute();
  }

  async #refresh(change: PolicyChange, refreshToken: string, traceparent: string): Promise<RefreshOutcome> {
    const found = await findToken(change.tx, refreshToken);
    const now = this.#now();
    if (found === undefined || found.ended_at !== null || found.expires_at <= now || found.disabled) {
      return { kind: "refused" };
    }
    const { principal, session_id: sessionId } = found;
    if (found.replaced_at !== null && now.getTime() - found.replaced_at.getTime() > graceMs) {
      await endSessions(change.tx, now, { sessionId });
      await refuseTokensBefore(change, principal, now);
      const cause = { actor: "anonymous", traceparent };
      await this.#o.events.session(change.tx, cause, { kind: "refresh_reuse_detected", principal });
      return { kind: "stolen" };
    }
    const used = change.tx.updateTable("refresh_token").set({ replaced_at: now });
    await used.where("sha256", "=", digest(refreshToken)).where("replaced_at", "is", null).execute();
    const expiresAt = new Date(now.getTime() + refreshLifeMs);
    await change.tx.updateTable("session").set({ expires_at: expiresAt }).where("id", "=", sessionId).execute();
    return { kind: "refreshed", principal, sessionId, token: await this.#issue(change.tx, sessionId) };
  }

  async #open(tx: AuthTransaction, principal: string): Promise<{ sessionId: string; token: string }> {
    const now = this.#now();
    const sessionId = randomUUID();
    const expiresAt = new Date(now.getTime() + refreshLifeMs);
    const session = { id: sessionId, principal, created_at: now, expires_at: expiresAt, ended_at: null };
    await tx.insertInto("session").values(session).execute();
    return { sessionId, token: await this.#issue(tx, sessionId) };
  }

  async #issue(tx: AuthTransaction, sessionId: string): Promise<string> {
    const token = `aimr_${randomBytes(32).toString("base64url")}`;
    const row = { sha256: digest(token), session_id: sessionId, created_at: this.#now(), replaced_at: null };
    await tx.insertInto("refresh_token").values(row).execute();
    return token;
  }

  async #pair(principal: string, sessionId: string, refreshToken: string): Promise<TokenPair> {
    const nowMs = this.#o.clock.now();
    const access = signAccessToken(await this.#o.keys.current(), { principal, sessionId, id: randomUUID(), nowMs });
    return create(TokenPairSchema, {
      accessToken: access.text,
      accessExpiresAt: timestampFromMs(access.expiresAtMs),
      refreshToken,
      refreshExpiresAt: timestampFromMs(nowMs + refreshLifeMs),
    });
  }

  #now(): Date {
    return new Date(this.#o.clock.now());
  }
}

/** A refresh token with its session, locked for the transaction. */
async function findToken(tx: AuthTransaction, refreshToken: string) {
  return await tx
    .selectFrom("refresh_token")
    .innerJoin("session", "session.id", "refresh_token.session_id")
    .innerJoin("principal", "principal.id", "session.principal")
    .select(["session_id", "session.principal", "replaced_at", "ended_at", "expires_at", "disabled"])
    .where("sha256", "=", digest(refreshToken))
    .forUpdate(["refresh_token", "session"])
    .executeTakeFirst();
}

async function endSessions(
  tx: AuthTransaction,
  now: Date,
  which: { sessionId: string } | { principal: string; keepSession?: string },
): Promise<void> {
  const open = tx.updateTable("session").set({ ended_at: now }).where("ended_at", "is", null);
  if ("sessionId" in which) await open.where("id", "=", which.sessionId).execute();
  else {
    await open
      .where("principal", "=", which.principal)
      .where("id", "!=", which.keepSession ?? "")
      .execute();
  }
}

async function refuseTokensBefore(change: PolicyChange, principal: string, now: Date): Promise<void> {
  await change.tx.updateTable("principal").set({ tokens_not_before: now }).where("id", "=", principal).execute();
  change.touch(policyEntryKey.principal(principal));
}

function digest(refreshToken: string): Buffer {
  return createHash("sha256").update(refreshToken).digest();
}
