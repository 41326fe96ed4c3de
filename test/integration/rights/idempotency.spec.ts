import * as auth from "@aimass/api/auth";
import * as registry from "@aimass/api/registry";
import * as scheduler from "@aimass/api/scheduler";
import * as trainer from "@aimass/api/trainer";
import type { DescMethod, DescService } from "@bufbuild/protobuf";
import { MethodOptions_IdempotencyLevel as Level } from "@bufbuild/protobuf/wkt";
import { describe, expect, it } from "vitest";
import { rpcRows } from "./rows.ts";

const isService = (value: unknown): value is DescService => (value as { kind?: string }).kind === "service";
const exported: readonly unknown[] = Object.values({ ...auth, ...registry, ...scheduler, ...trainer });
const methods: readonly DescMethod[] = exported.filter(isService).flatMap((service) => service.methods);
const pathOf = (method: DescMethod) => `${method.parent.typeName}/${method.name}`;
const readers = methods.filter((method) => method.idempotency === Level.NO_SIDE_EFFECTS);

/** The verbs that the matrix of rights asks for. */
function verbsOf(path: string): string[] {
  const rule = rpcRows[path]?.rule;
  const asked: string[] = [];
  const may = (verb: string) => {
    asked.push(verb);
    return true;
  };
  const nobody = { kind: "user", grants: [] };
  if (rule?.kind === "verbs") rule.allowed(may as never, nobody as never);
  return asked;
}

describe("what the contracts declare of repeated calls", () => {
  it("is there for every RPC that gets, lists or watches", () => {
    const silent = methods.filter(({ name }) => /^(Get|List|Watch)/.test(name)).filter((m) => !readers.includes(m));
    expect(silent.map(pathOf)).toEqual([]);
    expect(readers.length).toBeGreaterThan(30);
  });

  it.each(readers.map((method) => [pathOf(method)]))("%s needs no right to change anything", (path) => {
    expect(path).not.toMatch(/\/(Create|Update|Put|Set|Delete|Move|Revoke|Release|Decide|Sign|Start|Write|Cancel)/);
    expect(verbsOf(path).filter((verb) => !/\.(view|read|infer)$/.test(verb))).toEqual([]);
  });

  it("leaves out what is compared and set, and what makes a new thing each time: repeated, it would be refused or done twice", () => {
    const once =
      /\/(Create(?!DatasetVersion)|MoveAlias|RollbackAlias|DeleteAlias|PutDeployment|DecideReview|SignIn|RefreshSession|ChangePassword)/;
    const declared = methods.filter(
      (method) => once.test(pathOf(method)) && method.idempotency !== Level.IDEMPOTENCY_UNKNOWN,
    );
    expect(declared.map(pathOf)).toEqual([]);
  });
});
