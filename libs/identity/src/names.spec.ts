import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { enclosingResources, formatResource, parseModelName, parseResource } from "./names.ts";

const project = fc.stringMatching(/^[a-z][a-z0-9_-]{0,20}$/);
const model = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9_-]{0,20}$/);

describe("parseModelName()", () => {
  it("puts a name without a project into the default project", () => {
    expect(parseModelName("fraud")).toEqual({ project: "default", model: "fraud" });
    expect(parseModelName("risk.fraud")).toEqual({ project: "risk", model: "fraud" });
  });
  it.each(["", ".", "a.", ".b", "a.b.c", "a/b", "a b", "A.b", "..", "a.b@c", "é"])("refuses %j", (text) => {
    expect(() => parseModelName(text)).toThrowError(/is not the name of a model/);
  });
});

describe("parseResource()", () => {
  it("reads back whatever formatResource() writes", () => {
    fc.assert(
      fc.property(project, fc.option(model), fc.option(model), (p, m, a) => {
        const alias = m === null ? undefined : (a ?? undefined);
        const text = formatResource(p, m ?? undefined, alias);
        const expected = { project: p, ...(m === null ? {} : { model: m }), ...(alias === undefined ? {} : { alias }) };
        expect(parseResource(text)).toEqual(expected);
      }),
    );
  });
  it.each(["", "a@b", "a.b@", "a.b@c@d", "*.b", "a.*", "A"])("refuses %j", (text) => {
    expect(parseResource(text)).toBeUndefined();
  });
});

describe("enclosingResources()", () => {
  it("goes from everything to the alias", () => {
    expect(enclosingResources("p.m@a")).toEqual(["*", "p", "p.m", "p.m@a"]);
    expect(enclosingResources("*")).toEqual(["*"]);
  });
});
