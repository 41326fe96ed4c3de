import { createInterface } from "node:readline/promises";
import { SessionService } from "@aimass/api/auth";
import { AimassError } from "@aimass/core";
import type { Command } from "commander";
import { readTextFile } from "../client/text-file.ts";
import { action } from "./context.ts";

export function addLogin(program: Command): void {
  program
    .command("login")
    .description("sign in with a name and a password; the session is kept for this server")
    .option("-u, --username <name>", "who you are", "admin")
    .option("--password-file <file>", "read the password from a file instead of asking")
    .addHelpText("after", "\nThe first start of a mesh prints where the administrator's password is.")
    .action(
      action<{ username: string; passwordFile?: string }>(async ({ connection, output, server }, options) => {
        const password =
          options.passwordFile === undefined
            ? await askPassword(options.username, server)
            : readTextFile(options.passwordFile).trim();
        await connection.signIn(options.username, password);
        output.result({ server, username: options.username }, () => `Signed in to ${server} as ${options.username}.`);
        output.hint("Next: aimass models list · aimass run model.onnx");
      }),
    );
  program
    .command("logout")
    .description("end the session")
    .action(
      action(async ({ connection, output, server }) => {
        await connection.signOut();
        output.result({ server }, () => `Signed out of ${server}.`);
      }),
    );
  program
    .command("whoami")
    .description("say who the server takes you for")
    .action(
      action(async ({ connection, output }) => {
        const me = await connection.client(SessionService).whoAmI({});
        output.result({ principal: me.principal, groups: me.groups, roles: me.roles }, () =>
          [
            me.principal,
            me.roles.length > 0 ? `roles: ${me.roles.join(", ")}` : "",
            me.groups.length > 0 ? `groups: ${me.groups.join(", ")}` : "",
          ].filter(Boolean),
        );
      }),
    );
}

/** Asks without showing what is typed; reads one line where there is no terminal. */
async function askPassword(username: string, server: string): Promise<string> {
  const reader = createInterface({
    input: process.stdin,
    output: process.stderr,
    terminal: process.stdin.isTTY === true,
  });
  try {
    const asking = reader.question(`Password of ${username} at ${server}: `);
    if (process.stdin.isTTY) (reader as unknown as { _writeToOutput: () => void })._writeToOutput = () => {};
    const password = await asking;
    process.stderr.write("\n");
    if (password === "")
      throw new AimassError("INVALID_ARGUMENT", "No password was given.", {
        remedy: "Type it, or use --password-file FILE.",
      });
    return password;
  } finally {
    reader.close();
  }
}
