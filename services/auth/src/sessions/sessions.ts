import { createHash, randomBytes, randomUUID } from "node:crypto";
import { type TokenPair, TokenPairSchema } from "@aimass/api/auth";
import { AimassError, type Clock } from "@aimass/core";
import { isPrincipalName, policyEntryKey, signAccessToken } from "@aimass/identity";
import { create } from "@bufbuild/protobuf";
import { timestampFromDate, timestampFromMs } from "@bufbuild/protobuf/wkt";
import { sql } from "kysely";
import type { AuthTransaction, Cause } from "../database.ts";
import type { AuthEvents } from "../events.ts";
import type { AttemptLimit } from "../passwords/attempt-limit.ts";
import type { PasswordHasher } from "../passwords/password-hasher.ts";
import type { Changed, PolicyChange, PolicyWriter } from "../policy/policy-change.ts";
import type { SigningKeys } from "../signing/signing-keys.ts";
import { endSessions, withdrawEndedSessions } from "./end-sessions.ts";

const dayMs = 24 * 3_600_000;
/** How long a session lives that nobody uses, and how long one that is used. */
const refreshLifeMs = 30 * dayMs;
const sessionLifeMs = 90 * dayMs;
/** Two clients that share a session may refresh at the same time; within this the second one gets an access token. */
const graceMs = 10_000;

export interface SessionsOptions {
  readonly writer: PolicyWriter;
  readonly keys: SigningKeys;
  readonly hasher: PasswordHasher;
  readonly attempts: AttemptLimit;
  readonly events: AuthEvents;
  readonly clock: Clock;
}

/** A session that goes on. Without a refresh token when another client has just got the next one. */
interface OpenSession {
  readonly principal: string;
  readonly sessionId: string;
  readonly token: string | undefined;
  /** Of the access tokens of its principal. */
  readonly generation: number;
  readonly expiresAt: Date;
}

/** What became of a refresh token: the session goes on, or what ended it. */
type RefreshOutcome =
  | ({ readonly kind: "refreshed" } & OpenSession)
  | { readonly kind: "refused" }
  | { readonly kind: "stolen" };

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
    // What nobody can be called is no text for the audit log, where strangers would write what they like.
    const name = isPrincipalName(request.username) ? request.username : "?";
    const principal = `user:${name}`;
    const source = { user: name, address: request.address };
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
    const opened = await writer.store.withTransaction(async (tx) => {
      const session = await this.#open(tx, principal);
      await events.session(tx, cause, { kind: "signed_in", principal, sessionId: session.sessionId });
      return session;
    });
    return await this.#pair(opened);
  }

  /**
   * Throws UNAUTHENTICATED; for a token that was used before, the whole session has ended by then, and `settled` has been waited for, which gets the change.
   */
  async refresh(
    refreshToken: string,
    traceparent: string,
    settled: (changed: Changed<unknown>) => Promise<unknown>,
  ): Promise<TokenPair> {
    const changed = await this.#o.writer.change((change) => this.#refresh(change, refreshToken, traceparent));
    const { value } = changed;
    if (value.kind === "refreshed") return await this.#pair(value);
    if (changed.touched) await settled(changed);
    throw new AimassError(
      "UNAUTHENTICATED",
      value.kind === "stolen"
        ? "The refresh token was used before; it may have been stolen, so the session was ended."
        : "The session has ended.",
      { reason: value.kind === "stolen" ? "REFRESH_REUSED" : "SESSION_ENDED", remedy: "Sign in again." },
    );
  }

  /** Ends the session of a refresh token with its access tokens; an unknown token is fine. */
  async signOut(refreshToken: string, traceparent: string): Promise<Changed<void>> {
    return await this.#o.writer.change(async (change) => {
      const found = await findToken(change.tx, refreshToken);
      if (found === undefined || found.ended_at !== null) return;
      const { principal, session_id: sessionId } = found;
      await endSessions(change, this.#now(), { sessionId });
      await this.#o.events.session(
        change.tx,
        { actor: principal, traceparent },
        { kind: "signed_out", principal, sessionId },
      );
    });
  }

  /** Whether a session that is open was begun at most so long ago. */
  async isFresh(sessionId: string, withinMs: number): Promise<boolean> {
    const session = this.#o.writer.store.db.selectFrom("session").select("id").where("id", "=", sessionId);
    const since = new Date(this.#o.clock.now() - withinMs);
    return (
      (await session.where("ended_at", "is", null).where("created_at", ">", since).executeTakeFirst()) !== undefined
    );
  }

  /** Makes sure that a user knows the own password. Throws UNAUTHENTICATED for a wrong one, RESOURCE_EXHAUSTED after too many attempts. */
  async confirmPassword(
    request: { principal: string; password: string; address: string },
    failed: { cause: Cause; kind: string },
  ): Promise<void> {
    const { attempts, hasher, writer, events } = this.#o;
    const { principal } = request;
    const source = { user: principal.slice("user:".length), address: request.address };
    await attempts.begin(source);
    const query = writer.store.db.selectFrom("principal").select("password_hash").where("id", "=", principal);
    if (!(await hasher.verify(request.password, (await query.executeTakeFirst())?.password_hash))) {
      await writer.store.withTransaction((tx) =>
        events.session(tx, failed.cause, { kind: failed.kind, principal: principal }),
      );
      throw new AimassError("UNAUTHENTICATED", "The current password is wrong.", {
        reason: "SIGN_IN_FAILED",
        field: "current_password",
      });
    }
    await attempts.succeed(source);
  }

  /**
   * Replaces a user's own password, ends the user's sessions but `keepSession`, and refuses every access token made before: that one session goes on with
   * its refresh token. `also` is done in the same transaction. Throws UNAUTHENTICATED for a wrong current password.
   */
  async changePassword(
    request: { principal: string; current: string; next: string; keepSession: string | undefined; address: string },
    cause: Cause,
    also: (change: PolicyChange) => Promise<void>,
  ): Promise<Changed<void>> {
    const { hasher, writer, events } = this.#o;
    const { principal, current, address } = request;
    await this.confirmPassword({ principal, password: current, address }, { cause, kind: "password_change_failed" });
    const passwordHash = await hasher.hash(request.next, "new_password");
    return await writer.change(async (change) => {
      const person = change.tx.updateTable("principal").set({ password_hash: passwordHash });
      await person.where("id", "=", principal).execute();
      await this.endAll(change, principal, request.keepSession);
      await also(change);
      await events.principal(change.tx, cause, { principal, change: "updated", detail: "password changed" });
    });
  }

  /** Ends a principal's sessions, but one perhaps, and refuses every access token made before. */
  async endAll(change: PolicyChange, principal: string, keepSession?: string): Promise<void> {
    await endSessions(change, this.#now(), { principal, keepSession });
    await refuseTokensBefore(change, principal, this.#now());
  }

  /** Takes sessions out of the policy whose access tokens have all run out. */
  async withdrawEnded(): Promise<void> {
    await withdrawEndedSessions(this.#o.writer, this.#o.clock.now());
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
      await endSessions(change, now, { sessionId });
      await refuseTokensBefore(change, principal, now);
      const cause = { actor: "anonymous", traceparent };
      await this.#o.events.session(change.tx, cause, { kind: "refresh_reuse_detected", principal, sessionId });
      return { kind: "stolen" };
    }
    const generation = Number(found.token_generation);
    const open = { kind: "refreshed", principal, sessionId, generation } as const;
    if (found.replaced_at !== null) return { ...open, token: undefined, expiresAt: found.expires_at };
    const used = change.tx.updateTable("refresh_token").set({ replaced_at: now });
    await used.where("sha256", "=", digest(refreshToken)).execute();
    const expiresAt = endOf(found.created_at, now);
    await change.tx.updateTable("session").set({ expires_at: expiresAt }).where("id", "=", sessionId).execute();
    return { ...open, expiresAt, token: await this.#issue(change.tx, sessionId) };
  }

  async #open(tx: AuthTransaction, principal: string): Promise<OpenSession> {
    const now = this.#now();
    const sessionId = randomUUID();
    const expiresAt = endOf(now, now);
    const session = { id: sessionId, principal, created_at: now, expires_at: expiresAt, ended_at: null };
    await tx.insertInto("session").values(session).execute();
    const query = tx.selectFrom("principal").select("token_generation").where("id", "=", principal);
    const generation = Number((await query.executeTakeFirstOrThrow()).token_generation);
    return { principal, sessionId, generation, expiresAt, token: await this.#issue(tx, sessionId) };
  }

  async #issue(tx: AuthTransaction, sessionId: string): Promise<string> {
    const token = `aimr_${randomBytes(32).toString("base64url")}`;
    const row = { sha256: digest(token), session_id: sessionId, created_at: this.#now(), replaced_at: null };
    await tx.insertInto("refresh_token").values(row).execute();
    return token;
  }

  async #pair({ principal, sessionId, generation, token, expiresAt }: OpenSession): Promise<TokenPair> {
    const claims = { principal, sessionId, generation, id: randomUUID(), nowMs: this.#o.clock.now() };
    const access = signAccessToken(await this.#o.keys.current(), claims);
    return create(TokenPairSchema, {
      accessToken: access.text,
      accessExpiresAt: timestampFromMs(access.expiresAtMs),
      refreshToken: token ?? "",
      refreshExpiresAt: timestampFromDate(expiresAt),
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
    .select([
      "session_id",
      "session.principal",
      "replaced_at",
      "ended_at",
      "expires_at",
      "disabled",
      "session.created_at",
      "token_generation",
    ])
    .where("sha256", "=", digest(refreshToken))
    .forUpdate(["refresh_token", "session"])
    .executeTakeFirst();
}

/** When a session that was begun at one time and is used at another comes to its end. */
function endOf(begun: Date, used: Date): Date {
  return new Date(Math.min(used.getTime() + refreshLifeMs, begun.getTime() + sessionLifeMs));
}

/** For the principal's row: access tokens made so far count no more. */
export const nextGeneration = sql<string>`principal.token_generation + 1`;

async function refuseTokensBefore(change: PolicyChange, principal: string, now: Date): Promise<void> {
  await change.tx
    .updateTable("principal")
    .set({ tokens_not_before: now, token_generation: nextGeneration })
    .where("id", "=", principal)
    .execute();
  change.touch(policyEntryKey.principal(principal));
}

function digest(refreshToken: string): Buffer {
  return createHash("sha256").update(refreshToken).digest();
}
