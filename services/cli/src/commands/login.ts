import { createInterface } from "node:readline/promises";
import { SessionService } from "@aimass/api/auth";
import { AimassError } from "@aimass/core";
import type { Command } from "commander";
import { readTextFile } from "../client/text-file.ts";
import { action } from "./context.ts";

export function addLogin(program: Command): void {
  addSignIn(program);
  addLogout(program);
  addPasswd(program);
  addWhoami(program);
}

function addSignIn(program: Command): void {
  program
    .command("login")
    .description("sign in with a name and a password; the session is kept for this server")
    .option("-u, --username <name>", "who you are", "admin")
    .option("--password-file <file>", "read the password from a file instead of asking")
    .addHelpText("after", "\nThe first start of a mesh prints where the administrator's password is.")
    .action(
      action<{ username: string; passwordFile?: string }>(async ({ connection, output, server }, options) => {
        const password = await readPassword(options.passwordFile, options.username, server);
        await connection.signIn(options.username, password);
        output.result({ server, username: options.username }, () => `Signed in to ${server} as ${options.username}.`);
        output.hint("Next: aimass models list · aimass run model.onnx");
      }),
    );
}

function addLogout(program: Command): void {
  program
    .command("logout")
    .description("end the session")
    .action(
      action(async ({ connection, output, server }) => {
        await connection.signOut();
        output.result({ server }, () => `Signed out of ${server}.`);
      }),
    );
}

function addPasswd(program: Command): void {
  program
    .command("passwd")
    .description("change your own password; ends your other sessions")
    .requiredOption("--new-password-file <file>", "the new password, at least 12 characters")
    .option("--password-file <file>", "read the current password from a file instead of asking")
    .option("--revoke-keys", "revoke your API keys too")
    .action(
      action<{ newPasswordFile: string; passwordFile?: string; revokeKeys?: boolean }>(
        async ({ connection, output, server }, options) => {
          const client = connection.client(SessionService);
          const { principal } = await client.whoAmI({});
          const { revokeKeys = false } = options;
          const newPassword = readTextFile(options.newPasswordFile).trim();
          const currentPassword = await readPassword(options.passwordFile, principal.replace(/^user:/, ""), server);
          await client.changePassword({ currentPassword, newPassword, revokeKeys });
          const keys = revokeKeys
            ? "All your API keys are revoked."
            : "Your API keys go on; --revoke-keys ends them too.";
          output.result({ principal, revokeKeys }, () => `${principal} has a new password. ${keys}`);
        },
      ),
    );
}

function addWhoami(program: Command): void {
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

/** The password from a file, or asked for. */
export async function readPassword(file: string | undefined, username: string, server: string): Promise<string> {
  return file === undefined ? await askPassword(username, server) : readTextFile(file).trim();
}

/** Asks without showing what is typed, or reads the first line of what is not a terminal, whether or not that line ends. */
async function askPassword(username: string, server: string): Promise<string> {
  const asked = `Password of ${username} at ${server}: `;
  const password = process.stdin.isTTY ? await typedLine(asked) : await firstLine(process.stdin);
  if (password === "")
    throw new AimassError("INVALID_ARGUMENT", "No password was given.", {
      remedy: "Type it, pipe it in, or use --password-file FILE.",
    });
  return password;
}

/** What a person types at a terminal; "" when they end the input instead. */
async function typedLine(asked: string): Promise<string> {
  const reader = createInterface({ input: process.stdin, output: process.stderr, terminal: true });
  const closed = new Promise<string>((resolve) => reader.once("close", () => resolve("")));
  try {
    const asking = reader.question(asked);
    (reader as unknown as { _writeToOutput: () => void })._writeToOutput = () => {};
    const password = await Promise.race([asking, closed]);
    process.stderr.write("\n");
    return password;
  } finally {
    reader.close();
  }
}

/** Longest password that is read from a pipe, in bytes. */
const longestBytes = 1 << 16;

async function firstLine(input: AsyncIterable<Buffer>): Promise<string> {
  let text = "";
  for await (const chunk of input) {
    text += chunk.toString("utf8");
    if (text.includes("\n") || text.length > longestBytes) break;
  }
  return (text.split("\n", 1)[0] as string).replace(/\r$/, "");
}
