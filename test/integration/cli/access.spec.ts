import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { textLengthModel } from "@aimass/onnx/samples";
import { describe, expect, it } from "vitest";
import { Command } from "../../support/command.ts";
import { expectFailure } from "../../support/failure.ts";
import { terminalMesh } from "../../support/terminal-mesh.ts";

const diabetes = fileURLToPath(new URL("../../../services/cli/data/diabetes.csv", import.meta.url));

const mesh = terminalMesh(async ({ file, json, signIn }) => {
  writeFileSync(file("words.onnx"), textLengthModel());
  writeFileSync(file("password"), "correct horse battery staple\n");
  await signIn();
  await Promise.all([json("run", file("tiny.onnx")), json("run", file("words.onnx"))]);
});
const { json, words, file } = mesh;

describe("aimass grants, keys, users, groups, service accounts and sessions", { timeout: 180_000 }, () => {
  it("grants, makes keys and users, and takes them back", async () => {
    const { secret, key } = await json<{ secret: string; key: { id: string } }>(
      "keys",
      "create",
      "--service-account",
      "ci",
      "--description",
      "build",
    );
    const granted = await json<{ grant: { id: string } }>(
      "grants",
      "add",
      "service-account:ci",
      "default.tiny",
      "--level",
      "infer",
    );
    const program = new Command({ AIMASS_SERVER: mesh.up.url, AIMASS_API_KEY: secret });
    expect((await program.run("predict", "tiny")).status).toBe(0);
    expectFailure(await program.run("predict", "words"), 4, /words/);
    expect(await json("grants", "explain", "service-account:ci", "model.infer", "default.tiny")).toMatchObject({
      allowed: true,
    });
    expect(await json<unknown[]>("grants", "list", "--subject", "service-account:ci")).toHaveLength(1);
    expect(await json<unknown[]>("keys", "list", "--principal", "service-account:ci")).toMatchObject([{ id: key.id }]);
    await json("grants", "remove", granted.grant.id);
    expectFailure(await program.run("predict", "tiny"), 4, /tiny/);
    await json("keys", "revoke", key.id);
    expectFailure(await program.run("predict", "tiny"), 3, /key/i);
    await json("users", "create", "ada", "--password-file", file("password"));
    await json("groups", "add", "fraud", "user:ada");
    expect(await json<unknown[]>("users", "list")).toHaveLength(2);
    expect(await words("users", "disable", "ada")).toMatch(/is disabled/);
  });

  it("sets the roles of a user, and lets one in again", async () => {
    await json("users", "create", "rob", "--password-file", file("password"));
    expect(await words("users", "roles", "rob", "operator", "auditor")).toMatch(/auditor, operator/);
    expect(await json("users", "roles", "rob", "none")).toMatchObject({ user: { roles: [] } });
    expectFailure(await mesh.aimass.run("users", "roles", "rob"), 2, /No role was named/);
    expect(await words("users", "disable", "rob")).toMatch(/is disabled/);
    expect(await words("users", "enable", "rob")).toMatch(/is active/);
  });

  it("makes, lists, changes and deletes groups, each change only of what is there", async () => {
    await json("users", "create", "gus", "--password-file", file("password"));
    expect(await words("groups", "add", "night", "user:gus", "user:admin")).toMatch(/has user:admin, user:gus/);
    expect(await words("groups", "remove", "night", "user:admin")).toMatch(/night has user:gus/);
    expectFailure(
      await mesh.aimass.run("groups", "remove", "night", "user:admin"),
      4,
      /user:admin is not in the group night/,
    );
    expect(await words("groups", "list")).toMatch(/night +user:gus/);
    await json("grants", "add", "group:night", "default.tiny", "--level", "view");
    expect(await words("groups", "delete", "night", "--dry-run")).toMatch(/group night with 1 members and 1 grants/);
    expect(await words("groups", "delete", "night")).toMatch(/The group night is gone/);
    expectFailure(await mesh.aimass.run("groups", "delete", "night"), 4, /no group "night"/);
    expect(await json("grants", "list", "--subject", "group:night")).toEqual([]);
    expectFailure(
      await mesh.aimass.run("grants", "add", "group:night", "default.tiny", "--level", "view"),
      4,
      /groups add night MEMBER/,
    );
  });

  it("leaves no service account behind where the key is refused", async () => {
    const { secret } = await json<{ secret: string }>("keys", "create");
    const program = new Command({ AIMASS_SERVER: mesh.up.url, AIMASS_API_KEY: secret });
    expectFailure(await program.run("keys", "create", "-s", "neverhere"), 3, /An API key cannot make keys/);
    expect(await words("service-accounts", "list")).not.toContain("neverhere");
  });

  it("makes, stops and deletes service accounts, with all their keys", async () => {
    expect(await words("service-accounts", "create", "robot", "-d", "at night")).toMatch(/robot is there/);
    const makeKey = () => json<{ secret: string }>("keys", "create", "--service-account", "robot");
    const [{ secret }] = [await makeKey(), await makeKey()];
    await json("grants", "add", "service-account:robot", "default.tiny", "--level", "infer");
    const robot = new Command({ AIMASS_SERVER: mesh.up.url, AIMASS_API_KEY: secret });
    expect(await words("service-accounts", "list")).toMatch(/robot +active .*at night/);
    expect(await words("service-accounts", "disable", "robot")).toMatch(/robot is disabled/);
    expect((await robot.run("whoami")).status).toBe(3);
    expect(await words("service-accounts", "enable", "robot")).toMatch(/robot is active/);
    expect((await robot.run("whoami")).status).toBe(0);
    const robots = ["--principal", "service-account:robot"];
    expect(await words("keys", "revoke-all", ...robots, "--dry-run")).toMatch(/Would revoke 2 keys of .*robot: /);
    expect((await robot.run("whoami")).status).toBe(0);
    expect(await words("keys", "revoke-all", ...robots)).toMatch(/2 keys of service-account:robot are revoked/);
    expect((await robot.run("whoami")).status).toBe(3);
    await makeKey();
    expect(await words("keys", "list", "--all")).toMatch(/service-account:robot +valid/);
    expect(await words("keys", "list", "--project", "default")).toMatch(/service-account:robot +revoked/);
    expectFailure(await mesh.aimass.run("keys", "list", "--all", ...robots), 2, /exclude each other/);
    expect(await words("service-accounts", "delete", "robot", "--dry-run")).toMatch(
      /Would delete service-account:robot with 1 grants, 1 API keys, 0 sessions, no groups/,
    );
    expect(await words("service-accounts", "delete", "robot")).toMatch(/service-account:robot is gone/);
    expectFailure(await mesh.aimass.run("service-accounts", "delete", "robot"), 4, /no service account "robot"/);
    expect(await words("audit", "list", "--action", "principal.deleted")).toMatch(/service-account:robot/);
  });

  it("ends sessions, and deletes a user with them", async () => {
    await json("users", "create", "eva", "--password-file", file("password"));
    const eva = new Command({ AIMASS_SERVER: mesh.up.url, XDG_CONFIG_HOME: file("eva") });
    const signIn = ["login", "--username", "eva", "--password-file", file("password")];
    expect((await eva.run(...signIn)).status).toBe(0);
    const own = JSON.parse((await eva.run("sessions", "list", "--json")).stdout);
    expect(own).toMatchObject([{ principal: "user:eva", current: true }]);
    expectFailure(await eva.run("sessions", "list", "--user", "admin"), 3, /directory\.read/);
    expect(await words("sessions", "list", "--user", "eva")).toContain(own[0].id);
    expect(await words("sessions", "end", own[0].id, "--dry-run")).toMatch(/Would end the session .* of user:eva/);
    expect(await words("sessions", "end", own[0].id)).toMatch(/has ended/);
    expect((await eva.run("sessions", "list")).status).toBe(3);
    expect((await eva.run(...signIn)).status).toBe(0);
    expect(await words("sessions", "end-all", "--user", "eva")).toMatch(/1 sessions of user:eva have ended/);
    expect(await words("users", "delete", "eva", "--dry-run")).toMatch(/Would delete user:eva with 0 grants/);
    expect(await words("users", "delete", "eva")).toMatch(/user:eva is gone/);
    expect((await eva.run(...signIn)).status).toBe(3);
    expectFailure(await mesh.aimass.run("users", "delete", "admin"), 1, /user:admin is the last admin/);
  });

  it("grants nothing on a name that nothing has, unless told that it is still to come", async () => {
    const add = (resource: string, ...more: string[]) =>
      mesh.aimass.run("grants", "add", "anonymous", resource, "--level", "infer", ...more);
    const [tinny, defualt, lvie] = await Promise.all([add("default.tinny"), add("defualt"), add("default.tiny@lvie")]);
    expectFailure(tinny, 1, /There is no model or dataset default\.tinny.*default\.tiny\?.*--force/s);
    expectFailure(defualt, 1, /There is no project defualt.*default\?/s);
    expectFailure(lvie, 1, /There is no alias/);
    const { grant } = JSON.parse((await add("default.later", "--force", "--json")).stdout);
    await json("grants", "remove", grant.id);
    expectFailure(await mesh.aimass.run("grants", "remove", grant.id), 4, /no grant "[0-9a-f]+".*aimass grants list/s);
    const grantTo = (...more: string[]) => mesh.aimass.run("grants", "add", ...more);
    const [toNobody, ofNoVerb, ofNothing] = await Promise.all([
      grantTo("service-account:nobody", "default.tiny", "--level", "infer"),
      grantTo("anonymous", "default.tiny", "--verb", "model.infr"),
      grantTo("anonymous", "default.tiny"),
    ]);
    expectFailure(toNobody, 4, /no service-account:nobody.*aimass keys create --service-account nobody/s);
    expectFailure(ofNoVerb, 2, /not a verb.*model\.infer/s);
    expectFailure(ofNothing, 2, /neither a level nor verbs.*such as infer/s);
  });

  it("says which right a push lacks, makes keys with an end, and lets none of them make keys", async () => {
    const { secret, key } = await json<{ secret: string; key: { expiresAt: string } }>(
      "keys",
      "create",
      "-s",
      "looker",
    );
    const days = (Date.parse(key.expiresAt) - Date.now()) / 86_400_000;
    expect(Math.round(days)).toBe(90);
    await json("grants", "add", "service-account:looker", "default", "--level", "view");
    const looker = new Command({ AIMASS_SERVER: mesh.up.url, AIMASS_API_KEY: secret });
    const [model, dataset, ownKey] = await Promise.all([
      looker.run("models", "push", "tiny", file("tiny.onnx")),
      looker.run("datasets", "push", diabetes),
      looker.run("keys", "create"),
    ]);
    expectFailure(model, 3, /version\.create on default\.tiny/);
    expectFailure(dataset, 3, /dataset\.write on default\.diabetes/);
    expectFailure(ownKey, 3, /An API key cannot make keys/);
    expect(await json<{ key: object }>("keys", "create", "--for", "never")).not.toHaveProperty("key.expiresAt");
    expectFailure(await mesh.aimass.run("keys", "create", "--for", "soon"), 2, /--for is "soon".*24h or 90d/);
    expect(await words("keys", "list", "--principal", "service-account:none")).toMatch(/No keys of service-acc/);
    expectFailure(
      await mesh.aimass.run("--api-key", "nonsense", "whoami"),
      3,
      /none that was made here.*Copy it whole/,
    );
  });
});
