import { type ApiKey, type CreateApiKeyRequestSchema, DirectoryService, SessionService } from "@aimass/api/auth";
import { ErrorDetailSchema } from "@aimass/api/common";
import { AimassError } from "@aimass/core";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import { type Client, Code, ConnectError } from "@connectrpc/connect";
import type { Command } from "commander";
import { allPages } from "../client/all-pages.ts";
import { acknowledged } from "../output/acknowledged.ts";
import { time } from "../output/format.ts";
import { table } from "../output/output.ts";
import { endAfter } from "../training/arguments.ts";
import { action, type CommandContext } from "./context.ts";
import { type DestroyOptions, destroy, destroys } from "./destroy.ts";
import { readPassword } from "./login.ts";

interface KeyOptions {
  readonly serviceAccount?: string;
  readonly description: string;
  readonly for: string;
  readonly passwordFile?: string;
}

export function addKeys(program: Command): void {
  const keys = program.command("keys").description("API keys for programs: create, list, revoke, revoke-all");
  addCreate(keys);
  addList(keys);
  addRevoke(keys);
  addRevokeAll(keys);
}

function addCreate(keys: Command): void {
  keys
    .command("create")
    .description("make a key; it is shown once")
    .option("-s, --service-account <name>", "for a service account; made when missing. Yourself when left out")
    .option("-d, --description <text>", "what it is for", "")
    .option("--for <time>", '36h or 7d, a plain number is hours; "never" for no end (needs directory.manage)', "90d")
    .option("--password-file <file>", "your password, when you signed in longer than 10 minutes ago")
    .action(action<KeyOptions>(createKey));
}

function addList(keys: Command): void {
  keys
    .command("list")
    .description("keys without their secrets")
    .option("--principal <name>", "whose; yours when left out", "")
    .option("--all", "everybody's")
    .option("--project <name>", "of those to whom something is granted in it", "")
    .action(
      action<{ principal: string; all?: boolean; project: string }>(async ({ connection, output }, options) => {
        const { project } = options;
        if (options.all && options.principal !== "")
          throw new AimassError("INVALID_ARGUMENT", "--all and --principal exclude each other.", {
            remedy: "Give one of them.",
          });
        const principal = options.all ? "*" : options.principal;
        const all = await allPages(
          (page) => connection.client(DirectoryService).listApiKeys({ principal, project, page }),
          (answer) => answer.keys,
        );
        const whose = options.all || project !== "" ? "" : ` of ${principal || "yours"}`;
        output.result(all, () =>
          all.length === 0
            ? `No keys${whose}. Make one: aimass keys create`
            : table(
                ["ID", "PRINCIPAL", "STATE", "CREATED", "UNTIL", "FOR"],
                all.map((k) => [k.id, k.principal, stateOf(k), time(k.createdAt), time(k.expiresAt), k.description]),
              ),
        );
      }),
    );
}

function addRevoke(keys: Command): void {
  keys
    .command("revoke")
    .description("revoke a key; returns when everyone who enforces it knows")
    .argument("<id>")
    .action(
      action(async ({ connection, output }, _options, [id]) => {
        const answer = await connection.client(DirectoryService).revokeApiKey({ id: id as string });
        output.result(answer, () => [`The key ${id} is revoked.`, acknowledged(answer.acknowledgement)]);
      }),
    );
}

function addRevokeAll(keys: Command): void {
  destroys(
    keys
      .command("revoke-all")
      .description("revoke every key of a principal")
      .option("--principal <name>", '"user:ada" or "service-account:ci"; yourself when left out', ""),
  ).action(
    action<DestroyOptions & { principal: string }>(async (context, options) => {
      const { principal } = options;
      const client = context.connection.client(DirectoryService);
      const whose = principal === "" ? "of yours" : `of ${principal}`;
      await destroy(context, options, {
        verb: "Revoke",
        call: (validateOnly) => client.revokeAllApiKeys({ principal, validateOnly }),
        what: ({ ids }) => `${ids.length} keys ${whose}${ids.length === 0 ? "" : `: ${ids.join(", ")}`}`,
        done: ({ ids, acknowledgement }) => [`${ids.length} keys ${whose} are revoked.`, acknowledged(acknowledgement)],
      });
    }),
  );
}

async function createKey(context: CommandContext, options: KeyOptions): Promise<void> {
  const { connection, output } = context;
  const { description, serviceAccount } = options;
  const client = connection.client(DirectoryService);
  const end = options.for === "never" ? { neverExpires: true } : { expiresAt: endAfter(options.for) };
  const principal = serviceAccount === undefined ? "" : `service-account:${serviceAccount}`;
  const request = { principal, description, ...end };
  const create = async (currentPassword: string) => {
    const key = { ...request, currentPassword };
    if (serviceAccount === undefined) return await client.createApiKey(key);
    return await keyOfServiceAccount(client, key, serviceAccount);
  };
  const answer =
    options.passwordFile === undefined
      ? await create("").catch(async (error: unknown) => {
          if (!wantsPassword(error)) throw error;
          if (process.stdin.isTTY !== true) throw signInAgain(error);
          return await create(await passwordOf(context, undefined));
        })
      : await create(await passwordOf(context, options.passwordFile));
  output.result({ key: answer.key, secret: answer.secret }, () => answer.secret);
  const { id, expiresAt } = answer.key ?? {};
  const until = expiresAt === undefined ? "It has no end." : `It ends ${time(expiresAt)}.`;
  output.hint(
    `Key ${id} of ${answer.key?.principal}, shown once. ${until} Use it: export AIMASS_API_KEY=…  Revoke it: aimass keys revoke ${id}`,
  );
  if (principal !== "")
    output.hint(`It may do nothing yet: aimass grants add ${principal} PROJECT.MODEL --level infer`);
}

async function passwordOf({ connection, server }: CommandContext, file: string | undefined): Promise<string> {
  const { principal } = await connection.client(SessionService).whoAmI({});
  return await readPassword(file, principal.replace(/^user:/, ""), server);
}

/** Whether the sign-in was so long ago that keys are made with the password alone. */
function wantsPassword(error: unknown): boolean {
  return ConnectError.from(error).findDetails(ErrorDetailSchema)[0]?.reason === "FRESH_SIGN_IN_NEEDED";
}

function signInAgain(cause: unknown): AimassError {
  return new AimassError("FAILED_PRECONDITION", "You signed in longer than 10 minutes ago.", {
    remedy: "Sign in again with `aimass login`, or give your password with --password-file FILE.",
    cause,
  });
}

/** Makes the account when it is missing, but only once the service found nothing else that keeps it from making the key. */
async function keyOfServiceAccount(
  client: Client<typeof DirectoryService>,
  key: MessageInitShape<typeof CreateApiKeyRequestSchema>,
  name: string,
) {
  try {
    return await client.createApiKey(key);
  } catch (error) {
    if (ConnectError.from(error).code !== Code.NotFound) throw error;
    await client.createServiceAccount({ name, description: key.description ?? "" });
    return await client.createApiKey(key);
  }
}

function stateOf(key: ApiKey): string {
  if (key.revokedAt !== undefined) return "revoked";
  return key.expiresAt !== undefined && timestampMs(key.expiresAt) <= Date.now() ? "expired" : "valid";
}
