import { cpSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

/** Runs a program and gives back what it wrote to its standard output; throws when it fails, with all it wrote. */
export type Run = (command: string, args: readonly string[], options?: { input?: string }) => string;

const scriptFolder = new URL("script", import.meta.url).pathname;
/** As many as ways_out.py looks for. */
const waysOut = 7;

/** A job by a script, in containers that the demo has run on: the demo's first model is what the script leaves. */
export class ScriptJob {
  readonly #run: Run;
  readonly #url: string;
  readonly #code: string;

  constructor({ run, url, folder }: { run: Run; url: string; folder: string }) {
    this.#run = run;
    this.#url = url;
    this.#code = join(folder, "code");
  }

  /** Nobody's code runs before somebody lets it. */
  refused(passwordFile: string): void {
    this.#aimass("login", "--password-file", passwordFile);
    cpSync(scriptFolder, this.#code, { recursive: true });
    this.#aimass("models", "pull", "diabetes:1", this.#code);
    let answer = "it was trained";
    try {
      this.#train();
    } catch (error) {
      answer = (error as Error).message;
    }
    if (!answer.includes("Scripts are switched off")) throw new Error(`The script was not refused: ${answer}`);
  }

  /** Starts the trainer anew with scripts.yaml on top. It begins as root, and must keep nothing of that. */
  async switchOn(): Promise<void> {
    this.#compose(["up", "-d", "--no-deps", "trainer"]);
    for (let i = 0; this.#inspect("trainer", "{{.State.Health.Status}}") !== "healthy"; i += 1) {
      if (i === 60) throw new Error("The trainer was not healthy within a minute.");
      await sleep(1000);
    }
    const status = readFileSync(`/proc/${this.#inspect("trainer", "{{.State.Pid}}")}/status`, "utf8");
    const none = "0000000000000000";
    const capabilities = { CapInh: none, CapPrm: none, CapEff: none, CapBnd: none, CapAmb: none };
    for (const [name, value] of Object.entries({ Uid: "65532", ...capabilities, NoNewPrivs: "1", Seccomp: "2" })) {
      const found = new RegExp(`^${name}:\\s+(\\w+)`, "m").exec(status)?.[1];
      if (found !== value) throw new Error(`The trainer has ${name} ${found} and not ${value}.`);
    }
  }

  /** What the script tries to reach is there for the trainer, or its failing would tell nothing. */
  trains(): void {
    const input = readFileSync(join(scriptFolder, "ways_out.py"), "utf8");
    const python = ["exec", "-T", "--user", "65532", "trainer", "python3", "-", this.#database()];
    const found = JSON.parse(this.#compose(python, { input })) as string[];
    if (found.length !== waysOut) throw new Error(`The trainer itself reaches no more than ${found.join(", ")}.`);
    const job = this.#train();
    const { version } = this.#aimass("models", "show", `scripted:${job.modelVersion}`) as { version: string };
    if (!(job.metrics.r2 > 0.3)) throw new Error(`The script's model has an R² of ${job.metrics.r2}.`);
    process.stdout.write(`     scripted v${version} with an R² of ${job.metrics.r2.toFixed(3)}, and no way out\n`);
  }

  #train(): { modelVersion: string; metrics: { r2: number } } {
    const spec = ["--dataset", "diabetes", "--target", "progression", "--model", "scripted"];
    const script = ["--script", this.#code, "--command", `python3 train.py ${this.#database()}`];
    return this.#aimass("train", ...spec, ...script) as { modelVersion: string; metrics: { r2: number } };
  }

  #compose(args: readonly string[], options?: { input: string }): string {
    const files = ["-f", "deploy/compose/compose.yaml", "-f", "deploy/compose/scripts.yaml"];
    return this.#run("docker-compose", [...files, ...args], options);
  }

  #database(): string {
    return this.#inspect("postgres", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}");
  }

  #inspect(service: string, format: string): string {
    return this.#run("docker", ["inspect", "-f", format, `aimass_${service}_1`]).trim();
  }

  #aimass(...args: string[]): unknown {
    return JSON.parse(this.#run("node", ["services/cli/src/main.ts", "--json", "--server", this.#url, ...args]));
  }
}
