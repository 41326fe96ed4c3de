import { execFileSync } from "node:child_process";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { AccessService, DirectoryService, Effect, Level } from "@aimass/api/auth";
import { JobState, TrainingService } from "@aimass/api/trainer";
import { describeWith, waitFor } from "@aimass/testkit";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Command, type CommandResult } from "../support/command.ts";
import { pythonEnvironment } from "../support/python-environment.ts";
import { TestMesh } from "../support/test-mesh.ts";

const examples = fileURLToPath(new URL("../../services/trainer/examples/", import.meta.url));
const digits = fileURLToPath(new URL("../../services/cli/data/digits.zip", import.meta.url));

let mesh: TestMesh;
let aimass: Command;

interface TrainedJob {
  readonly id: string;
  readonly state: string;
  readonly stateReason: string;
  readonly metrics: Readonly<Record<string, number>>;
  readonly modelVersion: string;
}

/** A mesh whose scripts see a Python environment. */
async function startMesh(
  environment: string | undefined,
  limits: Readonly<Record<string, string>> = {},
): Promise<void> {
  const env = { AIMASS_SCRIPTS: "bubblewrap", ...(environment && { AIMASS_SCRIPT_PATHS: environment }), ...limits };
  mesh = await TestMesh.start({ replicas: 1, env });
  aimass = new Command({ AIMASS_SERVER: mesh.mesh.url(), XDG_CONFIG_HOME: join(mesh.folder, "config") });
  expect((await aimass.run("login", "--password-file", mesh.mesh.data.adminPasswordFile)).stderr).not.toMatch(/error/);
}

async function json<T>(...args: string[]): Promise<T> {
  const result = await aimass.run(...args, "--json");
  if (result.status !== 0) expect.fail(`aimass ${args.join(" ")}: ${result.stdout}${result.stderr}`);
  return JSON.parse(result.stdout) as T;
}

/** A folder with the files of a script. */
async function folderOf(name: string, files: Readonly<Record<string, string>>): Promise<string> {
  const folder = join(mesh.folder, name);
  await mkdir(folder, { recursive: true });
  for (const [path, text] of Object.entries(files)) await writeFile(join(folder, path), text);
  return folder;
}

/** Trains on the line's points by a shell script. */
async function trainBy(sh: string, ...more: string[]): Promise<CommandResult> {
  const folder = await folderOf("code", { "train.sh": sh });
  const job = [
    "--dataset",
    "points",
    "--target",
    "y",
    "--model",
    "line",
    "--script",
    folder,
    "--command",
    "sh train.sh",
  ];
  return aimass.run("train", ...job, ...more, "--json");
}

async function pushPoints(): Promise<void> {
  const rows = Array.from({ length: 50 }, (_, i) => `${i},${3 * i}`);
  const file = join(mesh.folder, "points.csv");
  await writeFile(file, `x,y\n${rows.join("\n")}\n`);
  await json("datasets", "push", file);
}

describeWith("ci", { needs: ["bwrap", "python3"] }, "scikit-learn as a script", () => {
  let environment: string;

  beforeAll(async () => {
    environment = pythonEnvironment(join(examples, "linear-regression/requirements.txt"));
    await startMesh(environment);
  }, 600_000);

  afterAll(() => mesh?.[Symbol.asyncDispose]());

  it("trains a line from the command line, and predicts for 2 and 3", { timeout: 180_000 }, async () => {
    const data = join(mesh.folder, "line.csv");
    execFileSync(join(environment, "bin/python"), [join(examples, "linear-regression/make_data.py"), data]);
    await json("datasets", "push", data);
    const script = ["--script", join(examples, "linear-regression"), "--command", "python3 train.py"];
    const job = await json<TrainedJob>("train", "--dataset", "line", "--target", "y", "--model", "line", ...script);
    expect(job.metrics.r2).toBeGreaterThan(0.9999);
    const log = (await aimass.run("jobs", "logs", job.id)).stdout;
    const [, slope, shift] = /y = (\S+) \* x \+ (\S+)/.exec(log)?.map(Number) ?? [];
    await json("models", "alias", "line", "default", job.modelVersion);
    await json("deploy", "line");
    const answer = await json<{ outputs: { data: number[] }[] }>("predict", "line", "--input", '{"x": [[2], [3]]}');
    const [two = 0, three = 0] = answer.outputs[0]?.data ?? [];
    expect(two).toBeCloseTo(2 * Number(slope) + Number(shift), 1);
    expect(three).toBeCloseTo(3 * Number(slope) + Number(shift), 1);
  });
});

describeWith("ci", { needs: ["bwrap", "python3"] }, "scripts that misbehave", () => {
  beforeAll(async () => {
    await startMesh(undefined, {
      AIMASS_SCRIPT_SECONDS: "30",
      AIMASS_SCRIPT_DISK_MB: "64",
      AIMASS_SCRIPT_PROCESSES: "64",
    });
    await pushPoints();
  }, 120_000);

  afterAll(() => mesh?.[Symbol.asyncDispose]());

  const cases = [
    ["fails", "echo 'ValueError: no such column' >&2; exit 3", /exit code 3.*ValueError: no such column/s],
    ["leaves nothing", "true", /left no model\.onnx/],
    [
      "fills the disk",
      "while true; do head -c 9000000 /dev/zero > $TMPDIR/$(date +%N); done",
      /wrote more than the 64 MiB/,
    ],
    ["forks without end", "f() { while true; do f & sleep 0.01; done; }; f", /more than the 64 processes|Cannot fork/],
    [
      "looks for the platform's data",
      'ls /; ls "$STATE"; cat "$STATE"/* && exit 0; exit 9',
      /exit code 9.*No such file/s,
    ],
  ] as const;

  it.each(cases)("and %s end with a clear word", { timeout: 180_000 }, async (_, sh, said) => {
    const result = await trainBy(`STATE=${mesh.mesh.data.folder("trainer")}\n${sh}\n`);
    expect(result.status).not.toBe(0);
    expect(result.stdout + result.stderr).toMatch(said);
  });

  it(
    "and ignore SIGTERM are cancelled within 2 s, and leave neither a process nor a file",
    { timeout: 60_000 },
    cancelledScript,
  );

  it("are refused to whoever lacks code.run", { timeout: 180_000 }, async () => {
    const directory = mesh.admin.client(DirectoryService);
    await directory.createServiceAccount({ name: "trainee", description: "may train by recipes" });
    const grant = { subject: "service-account:trainee", resource: "default", level: Level.EDIT, effect: Effect.ALLOW };
    await mesh.admin.client(AccessService).putGrant({ grant });
    const { secret } = await directory.createApiKey({ principal: "service-account:trainee", description: "test" });
    aimass = new Command({
      AIMASS_SERVER: mesh.mesh.url(),
      AIMASS_API_KEY: secret,
      XDG_CONFIG_HOME: join(mesh.folder, "other"),
    });
    const refused = await trainBy("true\n");
    expect(refused.status).not.toBe(0);
    expect(refused.stdout + refused.stderr).toMatch(/code\.run/);
  });
});

describeWith("ci", { needs: ["setpriv", "prlimit"] }, "scripts as plain processes", () => {
  beforeAll(async () => {
    await startMesh(undefined, { AIMASS_SCRIPTS: "unsafe-process" });
    await pushPoints();
  }, 120_000);

  afterAll(() => mesh?.[Symbol.asyncDispose]());

  it("end as those in a sandbox when they are cancelled", { timeout: 180_000 }, cancelledScript);
});

describe("scripts where they are switched off", () => {
  beforeAll(async () => {
    await startMesh(undefined, { AIMASS_SCRIPTS: "off" });
    await pushPoints();
  }, 120_000);

  afterAll(() => mesh?.[Symbol.asyncDispose]());

  it("are refused at once, with what to do", { timeout: 180_000 }, async () => {
    const refused = await trainBy("true\n");
    expect(refused.stdout + refused.stderr).toMatch(/switched off.*AIMASS_SCRIPTS=bubblewrap/s);
  });
});

describeWith("manual", { needs: ["bwrap", "python3"] }, "PyTorch as a script", () => {
  beforeAll(async () => {
    // Its packages take gigabytes and minutes.
    await startMesh(pythonEnvironment(join(examples, "digits-cnn/requirements.txt")), { AIMASS_SCRIPT_CPUS: "1" });
  }, 1_800_000);

  afterAll(() => mesh?.[Symbol.asyncDispose]());

  it("trains a convolutional network on digits, and knows a three", { timeout: 600_000 }, async () => {
    await json("datasets", "push", digits, "digits");
    const script = ["--script", join(examples, "digits-cnn"), "--command", "python3 train.py"];
    const job = await json<TrainedJob>(
      "train",
      "--dataset",
      "digits",
      "--target",
      "label",
      "--model",
      "digits",
      ...script,
    );
    expect(job.metrics.accuracy).toBeGreaterThan(0.97);
    await json("models", "alias", "digits", "default", job.modelVersion);
    await json("deploy", "digits");
    const three = join(digits, "../digit-3.png");
    const { predictions } = await json<{ predictions: { label: string; probabilities: Record<string, number> }[] }>(
      "predict",
      "digits",
      "--input",
      `image=@${three}`,
    );
    expect(predictions.map(({ label }) => label)).toEqual(["3"]);
    expect(Object.keys(predictions[0]?.probabilities ?? {})).toHaveLength(10);
  });
});

/** Cancels a script that does not want to end. */
async function cancelledScript(): Promise<void> {
  const mark = `mark-${process.pid}-${Date.now()}`;
  const result = await trainBy(
    `trap '' TERM\nsh -c 'trap "" TERM; while true; do sleep 1; done' ${mark} &\nwhile true; do sleep 1; done\n`,
    "--no-wait",
  );
  const { id } = JSON.parse(result.stdout) as TrainedJob;
  await waitFor(async () => (await commandsWith(mark)).length > 0, { timeoutMs: 60_000, what: "the script" });
  const trainer = mesh.admin.client(TrainingService);
  const startedAt = performance.now();
  await trainer.cancelJob({ id });
  const isOver = async () => (await trainer.getJob({ id })).job?.state === JobState.CANCELLED;
  await waitFor(async () => (await isOver()) && (await commandsWith(mark)).length === 0, { what: "the end" });
  expect(performance.now() - startedAt).toBeLessThan(2000);
  const jobs = join(mesh.mesh.data.folder("trainer"), "jobs");
  await waitFor(async () => (await readdir(jobs)).length === 0, { what: "an empty folder of jobs" });
}

async function commandsWith(word: string): Promise<string[]> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const lines = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "")));
  return lines.filter((line) => line.includes(word) && !line.includes("aimass.js"));
}
