import { Level } from "@aimass/api/auth";
import { JobState } from "@aimass/api/trainer";
import { describeWith, waitFor } from "@aimass/testkit";
import pg from "pg";
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from "vitest";
import { failure, TrainerHarness, type TrainingClient } from "../testing/trainer-harness.ts";

let mesh: TrainerHarness;

beforeAll(async () => {
  mesh = await TrainerHarness.open();
  mesh.auth.grant("user:ada", Level.EDIT, ["code.run"]);
});
beforeEach(() => mesh.begin());
afterEach(() => mesh.end());
afterAll(() => mesh[Symbol.asyncDispose]());

/** Devices are names to all but CUDA: nothing here needs one. */
const start = (workers: number, gpus: string) =>
  mesh.start({ workers, env: { AIMASS_SCRIPTS: "unsafe-process", AIMASS_SCRIPT_GPUS: gpus } });

/** Tells its devices and when it began and ended, in milliseconds, and leaves no model. */
const show = 'from=$(date +%s%3N); sleep 1; echo "used $CUDA_VISIBLE_DEVICES $from $(date +%s%3N)"; exit 3';
const scriptFor = (gpus: number) => ({ recipe: "", script: { command: ["sh", "-c", show], limits: { gpus } } });

/** As soon as the right to run code has come to the trainer. */
const permitted = (client: TrainingClient) =>
  waitFor(() => mesh.create(client, scriptFor(0)).catch(() => undefined), { timeoutMs: 60_000, what: "the right" });

async function use(client: TrainingClient, id: string) {
  const events = await mesh.watch(client, id);
  const lines = events.flatMap(({ event }) => (event.case === "logLine" ? [event.value] : []));
  const [, devices = "", from, to] = lines.map((line) => /^used (\S*) (\d+) (\d+)$/.exec(line)).find(Boolean) ?? [];
  return { devices: devices.split(",").filter(Boolean), from: Number(from), to: Number(to) };
}

describeWith("ci", { needs: ["setpriv", "prlimit"] }, "scripts that ask for devices", () => {
  it("see their own alone, and wait while others have them", async () => {
    const { client } = await start(4, "3,5,3");
    await permitted(client);
    const jobs = await Promise.all([1, 1, 2, 1].map((gpus) => mesh.create(client, scriptFor(gpus))));
    const uses = await Promise.all(jobs.map(({ id }) => use(client, id)));
    expect(uses.map(({ devices }) => devices.length)).toEqual([1, 1, 2, 1]);
    for (const device of ["3", "5"]) {
      const users = uses.filter(({ devices }) => devices.includes(device)).sort((a, b) => a.from - b.from);
      for (const [i, { from }] of users.entries()) expect(from).toBeGreaterThanOrEqual(users[i - 1]?.to ?? 0);
    }
  }, 120_000);

  it("run on the trainer that has so many, are refused where none has, and fail when it stays away", async () => {
    const { client } = await start(2, "0");
    await permitted(client);
    const refused = await failure(mesh.create(client, scriptFor(2)));
    expect(refused).toMatchObject({ code: "INVALID_ARGUMENT", field: "spec.script.limits.gpus" });
    const large = await start(1, "4,5");
    const ask = () => mesh.create(client, scriptFor(2)).catch(() => undefined);
    const { id } = await waitFor(ask, { timeoutMs: 60_000, what: "the larger trainer" });
    const late = await mesh.create(client, scriptFor(2));
    expect((await use(client, id)).devices).toEqual(["4", "5"]);
    mesh.forget(large.trainer);
    await large.trainer.stop(100);
    const pool = new pg.Pool({ connectionString: mesh.database.url });
    await pool.query("delete from trainer.trainer where gpus = 2");
    await pool.end();
    const { state, stateReason } = await mesh.ended(client, late.id);
    expect({ state, stateReason }).toEqual({
      state: JobState.FAILED,
      stateReason: "The script asks for 2 devices. This trainer has 1 (AIMASS_SCRIPT_GPUS); 0 asks for none.",
    });
  }, 120_000);
});
