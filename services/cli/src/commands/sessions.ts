import { SessionService } from "@aimass/api/auth";
import type { Command } from "commander";
import { allPages } from "../client/all-pages.ts";
import { acknowledged } from "../output/acknowledged.ts";
import { time } from "../output/format.ts";
import { table } from "../output/output.ts";
import { action } from "./context.ts";
import { type DestroyOptions, destroy, destroys } from "./destroy.ts";

/** Sign-ins that go on: one's own, and for administrators those of others. */
export function addSessions(program: Command): void {
  const sessions = program.command("sessions").description("sign-ins that go on: list, end, end-all");
  sessions
    .command("list")
    .description("open sessions")
    .option("--user <name>", "whose; yours when left out")
    .action(
      action<{ user?: string }>(async ({ connection, output }, { user }) => {
        const all = await allPages(
          (page) => connection.client(SessionService).listSessions({ principal: principalOf(user), page }),
          (answer) => answer.sessions,
        );
        output.result(all, () =>
          table(
            ["ID", "USER", "SIGNED IN", "ENDS UNUSED", ""],
            all.map((s) => [s.id, s.principal, time(s.createdAt), time(s.expiresAt), s.current ? "this one" : ""]),
          ),
        );
      }),
    );
  destroys(sessions.command("end").description("end a session, at once and everywhere").argument("<id>")).action(
    action<DestroyOptions>(async (context, options, [id = ""]) => {
      const client = context.connection.client(SessionService);
      await destroy(context, options, {
        verb: "End",
        call: (validateOnly) => client.endSession({ id, validateOnly }),
        what: ({ session }) => `the session ${id} of ${session?.principal}, signed in ${time(session?.createdAt)}`,
        done: ({ acknowledgement }) => [`The session ${id} has ended.`, acknowledged(acknowledgement)],
      });
    }),
  );
  destroys(
    sessions
      .command("end-all")
      .description("end every session of a user")
      .option("--user <name>", "whose; yours when left out")
      .option("--keep-current", "all but the one that asks"),
  ).action(
    action<DestroyOptions & { user?: string; keepCurrent?: boolean }>(async (context, options) => {
      const { user, keepCurrent = false } = options;
      const client = context.connection.client(SessionService);
      const whose = user === undefined ? "of yours" : `of user:${user}`;
      await destroy(context, options, {
        verb: "End",
        call: (validateOnly) => client.endAllSessions({ principal: principalOf(user), keepCurrent, validateOnly }),
        what: ({ ids }) => `${ids.length} sessions ${whose}`,
        done: ({ ids, acknowledgement }) => [
          `${ids.length} sessions ${whose} have ended.`,
          acknowledged(acknowledgement),
        ],
      });
    }),
  );
}

function principalOf(user: string | undefined): string {
  return user === undefined ? "" : `user:${user}`;
}
