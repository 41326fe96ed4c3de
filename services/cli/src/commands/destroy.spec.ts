import { beforeEach, describe, expect, it } from "vitest";
import { Output } from "../output/output.ts";
import { destroy } from "./destroy.ts";

let printed = "";
const out = { write: (text: string) => (printed += text) };
const context = { output: new Output({ json: false, out }) };

beforeEach(() => {
  printed = "";
});

/** A thing with three parts, and what was asked of its server. */
function thing() {
  const calls: boolean[] = [];
  const destruction = {
    what: ({ parts }: { parts: number }) => `the thing with ${parts} parts`,
    call: async (validateOnly: boolean) => {
      calls.push(validateOnly);
      return { parts: 3 };
    },
    done: () => "It is gone.",
  };
  return { calls, destruction };
}

describe("what is destroyed", () => {
  it("is only judged in a dry run, at a terminal too", async () => {
    const { calls, destruction } = thing();
    await destroy(context, { dryRun: true }, destruction, () => expect.fail("asked"));
    expect(calls).toEqual([true]);
    expect(printed).toBe("Would delete the thing with 3 parts.\n");
  });

  it.each(["n", "", "yes please", "nay"])("stays when the person at the terminal answers %j", async (said) => {
    const { calls, destruction } = thing();
    const asked: string[] = [];
    const ask = async (question: string) => {
      asked.push(question);
      return said;
    };
    await expect(destroy(context, {}, destruction, ask)).rejects.toMatchObject({ code: "CANCELLED" });
    expect(calls).toEqual([true]);
    expect(asked).toEqual(["Delete the thing with 3 parts? [y/N] "]);
  });

  it.each(["y", "Yes "])("goes when the person answers %j", async (said) => {
    const { calls, destruction } = thing();
    await destroy(context, {}, destruction, async () => said);
    expect(calls).toEqual([true, false]);
    expect(printed).toBe("It is gone.\n");
  });

  it("goes without a question with --yes, and where nobody sits at a terminal", async () => {
    const { calls, destruction } = thing();
    await destroy(context, { yes: true }, destruction, () => expect.fail("asked"));
    await destroy(context, {}, destruction, undefined);
    expect(calls).toEqual([false, false]);
  });
});

describe("what is in use", () => {
  const uses = async () => ["the job j1, which is queued", "the rule nightly"];

  it("is named in a dry run", async () => {
    const { destruction } = thing();
    await destroy(context, { dryRun: true }, { ...destruction, uses }, undefined);
    expect(printed).toContain("Would fail then: the job j1, which is queued; the rule nightly.\n");
  });

  it("is named in the question", async () => {
    const { calls, destruction } = thing();
    const asked: string[] = [];
    const ask = async (question: string) => {
      asked.push(question);
      return "y";
    };
    await destroy(context, {}, { ...destruction, uses }, ask);
    expect(asked[0]).toMatch(
      /parts\? These would fail then: the job j1, which is queued; the rule nightly\. \[y\/N\] $/,
    );
    expect(calls).toEqual([true, false]);
  });

  it("stays where nobody can be asked, and goes with --yes", async () => {
    const { calls, destruction } = thing();
    const refused = destroy(context, {}, { ...destruction, uses }, undefined);
    await expect(refused).rejects.toMatchObject({
      code: "FAILED_PRECONDITION",
      remedy: expect.stringContaining("--yes"),
    });
    expect(calls).toEqual([true]);
    await destroy(context, { yes: true }, { ...destruction, uses }, undefined);
    expect(calls).toEqual([true, false]);
  });

  it("does not hold back what nobody uses, where nobody can be asked", async () => {
    const { calls, destruction } = thing();
    await destroy(context, {}, { ...destruction, uses: async () => [] }, undefined);
    expect(calls).toEqual([true, false]);
  });
});
