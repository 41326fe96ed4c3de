import type { Clock } from "@aimass/core";
import type { Selectable } from "kysely";
import type { AuthDatabase, Cause } from "../database.ts";
import type { AuthEvents } from "../events.ts";
import type { Page } from "../page.ts";
import type { Changed, PolicyWriter } from "../policy/policy-change.ts";
import { endSessions } from "./end-sessions.ts";

export type SessionRow = Selectable<AuthDatabase["session"]>;

/** The sessions that go on, for those who look after them. Who may see or end which is decided by the caller. */
export class OpenSessions {
  readonly #o: { readonly writer: PolicyWriter; readonly events: AuthEvents; readonly clock: Clock };

  constructor(options: { writer: PolicyWriter; events: AuthEvents; clock: Clock }) {
    this.#o = options;
  }

  /** One row more than the page holds, by id. */
  async list(principal: string, page: Page): Promise<SessionRow[]> {
    const open = this.#open(principal)
      .orderBy("id")
      .limit(page.size + 1);
    return await (page.after === undefined ? open : open.where("id", ">", page.after)).execute();
  }

  /** A session, ended or not. */
  async find(id: string): Promise<SessionRow | undefined> {
    return await this.#o.writer.store.db.selectFrom("session").selectAll().where("id", "=", id).executeTakeFirst();
  }

  /** Ends one session; one that has ended stays so. */
  async end({ id, principal }: SessionRow, cause: Cause): Promise<Changed<string[]>> {
    const { writer, events } = this.#o;
    return await writer.change(async (change) => {
      const ended = await endSessions(change, this.#now(), { sessionId: id });
      for (const sessionId of ended) await events.session(change.tx, cause, { kind: "ended", principal, sessionId });
      return ended;
    });
  }

  /** Ids of the open sessions of a principal, but one perhaps. */
  async idsOf(principal: string, keepSession: string | undefined): Promise<string[]> {
    const rows = await this.#open(principal).orderBy("id").execute();
    return rows.map(({ id }) => id).filter((id) => id !== keepSession);
  }

  /** Ends every open session of a principal, but one perhaps. Gives their ids. */
  async endAll(principal: string, keepSession: string | undefined, cause: Cause): Promise<Changed<string[]>> {
    const { writer, events } = this.#o;
    return await writer.change(async (change) => {
      const ended = await endSessions(change, this.#now(), { principal, keepSession });
      for (const sessionId of ended) await events.session(change.tx, cause, { kind: "ended", principal, sessionId });
      return ended;
    });
  }

  #open(principal: string) {
    const sessions = this.#o.writer.store.db.selectFrom("session").selectAll().where("principal", "=", principal);
    return sessions.where("ended_at", "is", null).where("expires_at", ">", this.#now());
  }

  #now(): Date {
    return new Date(this.#o.clock.now());
  }
}
