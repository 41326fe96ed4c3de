import { spawn } from "node:child_process";
import { expect, it } from "vitest";

/** Runs a service that does nothing, and tells how it ended. */
async function run(env: Readonly<Record<string, string>>): Promise<{ status: number | null; words: string }> {
  const script = `
    import { runService } from ${JSON.stringify(new URL("./index.ts", import.meta.url).href)};
    await runService("idle", async () => {
      setTimeout(() => process.kill(process.pid, "SIGTERM"), 50);
      return { addresses: {}, stop: () => new Promise((resolve) => setTimeout(resolve, 100)) };
    });`;
  const child = spawn(process.execPath, ["--input-type=module-typescript", "-e", script], {
    env: { ...process.env, ...env },
    stdio: ["ignore", "ignore", "pipe"],
  });
  let words = "";
  child.stderr.on("data", (chunk: Buffer) => {
    words += chunk;
  });
  return new Promise((resolve) => child.once("close", (status) => resolve({ status, words })));
}

it("a service drains within the time it is given", async () => {
  expect(await run({ AIMASS_GRACE_MS: "5000" })).toMatchObject({ status: 0 });
});

it("a service does not start with a time to drain that is none", async () => {
  for (const text of ["10s", "-1", "1e99", " "]) {
    const { status, words } = await run({ AIMASS_GRACE_MS: text });
    expect(words).toContain(`AIMASS_GRACE_MS is "${text}"; it must be a whole number from 0 to`);
    expect(status).toBe(64);
  }
});
