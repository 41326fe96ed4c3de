import {
  type ApiKey,
  ApiKeySchema,
  type DirectoryService,
  type ListApiKeysRequest,
  ServiceAccountSchema,
  UserSchema,
} from "@aimass/api/auth";
import { AimassError } from "@aimass/core";
import { isProjectName } from "@aimass/identity";
import { callerOf } from "@aimass/rpc";
import { create } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import type { ApiKeyRow, ApiKeys, WhoseKeys } from "../directory/api-keys.ts";
import { type Groups, type GroupWithMembers, groupEtag } from "../directory/groups.ts";
import { keyEnd } from "../directory/key-end.ts";
import type { Holdings } from "../directory/principal-removal.ts";
import type { ServiceAccounts } from "../directory/service-accounts.ts";
import type { PrincipalRow, Users } from "../directory/users.ts";
import { readPage, toPage } from "../page.ts";
import type { Changed, PolicyChange } from "../policy/policy-change.ts";
import type { Sessions } from "../sessions/sessions.ts";
import {
  acknowledged,
  causeOf,
  clientAddress,
  type Guard,
  requirePerson,
  requirePlatform,
  requireSession,
} from "./context.ts";

/** How long after signing in a person may make keys without saying the password again. */
const freshSignInMs = 600_000;

export interface DirectoryServiceOptions {
  readonly guard: Guard;
  readonly users: Users;
  readonly groups: Groups;
  readonly serviceAccounts: ServiceAccounts;
  readonly apiKeys: ApiKeys;
  readonly sessions: Sessions;
}

/** What is made is known to every live enforcer before the answer, so that callers can use it at once. */
export function createDirectoryService(options: DirectoryServiceOptions): ServiceImpl<typeof DirectoryService> {
  return { ...principalMethods(options), ...groupMethods(options), ...apiKeyMethods(options) };
}

function principalMethods({ guard, users, serviceAccounts, apiKeys }: DirectoryServiceOptions) {
  return {
    async createUser(request, context) {
      requirePlatform(guard, context, "directory.manage");
      requireSession(guard, context, "make users");
      const changed = await users.create(request, causeOf(context));
      await acknowledged(guard, changed);
      return { user: encodeUser(changed.value) };
    },
    async updateUser(request, context) {
      requirePlatform(guard, context, "directory.manage");
      const { name, disabled, password, roles, setRoles, revokeKeys } = request;
      if (password !== undefined) requireSession(guard, context, "set passwords");
      const cause = causeOf(context);
      const also = (change: PolicyChange, id: string) => apiKeys.revokeAll(change, id, cause);
      const change = { name, disabled, password, roles: setRoles ? roles : undefined };
      const changed = await users.update({ ...change, also: revokeKeys ? also : undefined }, cause);
      return { user: encodeUser(changed.value), acknowledgement: await acknowledged(guard, changed) };
    },
    async deleteUser({ name, validateOnly }, context) {
      requirePlatform(guard, context, "directory.manage");
      const removed = await users.delete(name, causeOf(context), validateOnly);
      return await answerRemoval(guard, removed);
    },
    async listUsers(request, context) {
      requirePlatform(guard, context, "directory.read");
      const page = readPage(context, request);
      const { rows, info } = toPage(await users.list(page), page, (row) => row.name);
      return { users: rows.map(encodeUser), page: info };
    },
    async createServiceAccount(request, context) {
      requirePlatform(guard, context, "directory.manage");
      const changed = await serviceAccounts.create(request, causeOf(context));
      await acknowledged(guard, changed);
      return { serviceAccount: encodeServiceAccount(changed.value) };
    },
    async updateServiceAccount({ name, disabled, description }, context) {
      requirePlatform(guard, context, "directory.manage");
      const changed = await serviceAccounts.update({ name, disabled, description }, causeOf(context));
      const serviceAccount = encodeServiceAccount(changed.value);
      return { serviceAccount, acknowledgement: await acknowledged(guard, changed) };
    },
    async deleteServiceAccount({ name, validateOnly }, context) {
      requirePlatform(guard, context, "directory.manage");
      const removed = await serviceAccounts.delete(name, causeOf(context), validateOnly);
      return await answerRemoval(guard, removed);
    },
    async listServiceAccounts(request, context) {
      requirePlatform(guard, context, "directory.read");
      const page = readPage(context, request);
      const { rows, info } = toPage(await serviceAccounts.list(page), page, (row) => row.name);
      return { serviceAccounts: rows.map(encodeServiceAccount), page: info };
    },
  } satisfies Partial<ServiceImpl<typeof DirectoryService>>;
}

function groupMethods({ guard, groups }: DirectoryServiceOptions) {
  return {
    async putGroup(request, context) {
      requirePlatform(guard, context, "directory.manage");
      const { name: named = "", members: wanted = [], etag = "" } = request.group ?? {};
      const group = { name: named, members: wanted, etag, createOnly: request.createOnly };
      const changed = await groups.put(group, causeOf(context));
      const { name, members } = changed.value;
      return { group: encodeGroup({ name, members }), acknowledgement: await acknowledged(guard, changed) };
    },
    async deleteGroup(request, context) {
      requirePlatform(guard, context, "directory.manage");
      if (request.validateOnly) {
        const { members, grants } = await groups.foresee(request.name);
        return { members: [...members], grants };
      }
      const changed = await groups.delete(request.name, causeOf(context));
      const { members, grants } = changed.value;
      return { members: [...members], grants, acknowledgement: await acknowledged(guard, changed) };
    },
    async listGroups(request, context) {
      requirePlatform(guard, context, "directory.read");
      const page = readPage(context, request);
      const { rows, info } = toPage(await groups.list(page), page, (group) => group.name);
      return { groups: rows.map(encodeGroup), page: info };
    },
  } satisfies Partial<ServiceImpl<typeof DirectoryService>>;
}

function apiKeyMethods(options: DirectoryServiceOptions) {
  const { guard, apiKeys } = options;
  return {
    async createApiKey(request, context) {
      const caller = requirePerson(context);
      const principal = request.principal === "" ? caller.id : request.principal;
      if (principal !== caller.id) {
        requirePlatform(guard, context, "directory.manage");
        assertServiceAccount(principal);
      }
      const manages = guard.policy.policy.allows(caller, "directory.manage", "*", guard.clock.now());
      const expiresAt = keyEnd(request, { manages, nowMs: guard.clock.now() });
      await assertFreshSession(options, context, request.currentPassword);
      const key = { principal, description: request.description, expiresAt };
      const changed = await apiKeys.create(key, causeOf(context));
      await acknowledged(guard, changed);
      return { key: encodeApiKey(changed.value.row), secret: changed.value.text };
    },
    async listApiKeys(request, context) {
      const caller = requirePerson(context);
      const whose = whoseKeys(request, caller.id);
      if (whose.principal !== caller.id || whose.project !== undefined) {
        requirePlatform(guard, context, "directory.read");
      }
      const page = readPage(context, request);
      const { rows, info } = toPage(await apiKeys.list(whose, page), page, (row) => row.id);
      return { keys: rows.map(encodeApiKey), page: info };
    },
    async revokeAllApiKeys(request, context) {
      const caller = requirePerson(context);
      const principal = request.principal === "" ? caller.id : request.principal;
      if (principal !== caller.id) requirePlatform(guard, context, "directory.manage");
      if (request.validateOnly) return { ids: await apiKeys.inForce(principal) };
      const changed = await apiKeys.revokeEvery(principal, causeOf(context));
      return { ids: changed.value, acknowledgement: await acknowledged(guard, changed) };
    },
    async revokeApiKey(request, context) {
      const caller = requirePerson(context);
      const key = await apiKeys.find(request.id);
      const manages = guard.policy.policy.allows(caller, "directory.manage", "*", guard.clock.now());
      if (key === undefined || (key.principal !== caller.id && !manages)) {
        throw new AimassError("NOT_FOUND", `There is no API key "${request.id.slice(0, 100)}".`, { field: "id" });
      }
      const changed = await apiKeys.revoke(request.id, causeOf(context));
      return { acknowledgement: await acknowledged(guard, changed) };
    },
  } satisfies Partial<ServiceImpl<typeof DirectoryService>>;
}

/** What a removal, or its dry run, came to. */
async function answerRemoval(guard: Guard, { value, ...changed }: Changed<Holdings>) {
  const holdings = { ...value, groups: [...value.groups], keyIds: [...value.keyIds] };
  if (!changed.touched) return { holdings };
  return { holdings, acknowledgement: await acknowledged(guard, { ...changed, value }) };
}

/** Errors: INVALID_ARGUMENT. */
function whoseKeys({ principal, project }: ListApiKeysRequest, caller: string): WhoseKeys {
  if (project !== "" && !isProjectName(project))
    throw new AimassError("INVALID_ARGUMENT", `"${project.slice(0, 100)}" is not a project.`, { field: "project" });
  const everybody = principal === "*" || (principal === "" && project !== "");
  return { principal: everybody ? undefined : principal || caller, project: project || undefined };
}

function encodeGroup({ name, members }: GroupWithMembers) {
  return { name, members: [...members], etag: groupEtag(members) };
}

/** Whoever finds a terminal open must not leave with a key: the sign-in is of just now, or the password comes again. */
async function assertFreshSession(
  { guard, sessions }: DirectoryServiceOptions,
  context: HandlerContext,
  password: string,
): Promise<void> {
  const sessionId = requireSession(guard, context, "make keys");
  const { principal } = callerOf(context);
  if (password !== "") {
    const request = { principal: principal.id, password, address: clientAddress(context) };
    return await sessions.confirmPassword(request, { cause: causeOf(context), kind: "sign_in_failed" });
  }
  if (await sessions.isFresh(sessionId, freshSignInMs)) return;
  throw new AimassError("FAILED_PRECONDITION", "Keys are made within 10 minutes of signing in, or with the password.", {
    reason: "FRESH_SIGN_IN_NEEDED",
    field: "current_password",
    remedy: "Sign in again, or send the current password along.",
  });
}

function assertServiceAccount(principal: string): void {
  if (principal.startsWith("service-account:")) return;
  throw new AimassError("INVALID_ARGUMENT", `A key for "${principal.slice(0, 100)}" can only be made by itself.`, {
    field: "principal",
    remedy: 'Keys for others are for service accounts, "service-account:NAME".',
  });
}

function encodeUser(row: PrincipalRow) {
  return create(UserSchema, {
    name: row.name,
    displayName: row.description,
    roles: row.roles,
    disabled: row.disabled,
    createdAt: timestampFromDate(row.created_at),
  });
}

function encodeServiceAccount(row: PrincipalRow) {
  return create(ServiceAccountSchema, {
    name: row.name,
    description: row.description,
    disabled: row.disabled,
    createdAt: timestampFromDate(row.created_at),
  });
}

function encodeApiKey(row: ApiKeyRow): ApiKey {
  return create(ApiKeySchema, {
    id: row.id,
    principal: row.principal,
    description: row.description,
    createdAt: timestampFromDate(row.created_at),
    ...(row.expires_at === null ? {} : { expiresAt: timestampFromDate(row.expires_at) }),
    ...(row.revoked_at === null ? {} : { revokedAt: timestampFromDate(row.revoked_at) }),
  });
}
