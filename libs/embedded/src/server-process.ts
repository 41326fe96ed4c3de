import { type ChildProcessByStdio, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import type { Clock } from "@aimass/core";
import type { Account } from "./account.ts";
import type { Home } from "./home.ts";
import type { Installation } from "./installation.ts";

/** Lines of output kept to explain a failure. */
const keptLines = 40;
const fastShutdownMs = 10_000;
const immediateShutdownMs = 5_000;

export interface ServerOptions {
  readonly home: Home;
  readonly installation: Installation;
  readonly account: Account;
  readonly port: number;
  readonly durable: boolean;
  readonly clock: Clock;
  readonly onLog?: ((line: string) => void) | undefined;
}

/** One run of the postgres program. */
export class ServerProcess {
  readonly pid: number;
  /** Resolves when the program has ended. */
  readonly ended: Promise<void>;
  readonly #child: ChildProcessByStdio<null, null, Readable>;
  readonly #clock: Clock;
  readonly #lines: string[] = [];
  #hasEnded = false;

  constructor(options: ServerOptions) {
    this.#clock = options.clock;
    this.#child = spawn(options.installation.postgres, serverArguments(options), {
      ...options.account.lent,
      cwd: options.home.path,
      env: options.installation.env,
      // A process group of its own: Ctrl-C in the terminal must not stop the database before its clients.
      detached: true,
      stdio: ["ignore", "ignore", "pipe"],
    });
    this.pid = this.#child.pid ?? 0;
    this.ended = new Promise((resolve) => {
      const end = () => {
        this.#hasEnded = true;
        resolve();
      };
      this.#child.on("error", (error) => {
        this.#lines.push(error.message);
        end();
      });
      this.#child.on("close", end);
    });
    createInterface({ input: this.#child.stderr }).on("line", (line) => {
      this.#lines.push(line);
      if (this.#lines.length > keptLines) this.#lines.shift();
      options.onLog?.(line);
    });
  }

  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  /** The last lines it wrote. */
  get output(): string {
    return this.#lines.join("\n");
  }

  /** SIGINT (fast: clients are cut off, data is flushed), SIGQUIT when that takes too long, SIGKILL when nothing helps. */
  async stop(): Promise<void> {
    for (const [signal, ms] of [
      ["SIGINT", fastShutdownMs],
      ["SIGQUIT", immediateShutdownMs],
    ] as const) {
      if (this.#hasEnded) return;
      this.#child.kill(signal);
      if (await this.#endsWithin(ms)) return;
    }
    this.#child.kill("SIGKILL");
    await this.ended;
  }

  async #endsWithin(ms: number): Promise<boolean> {
    const timer = new AbortController();
    const late = this.#clock.sleep(ms, timer.signal).catch(() => {});
    await Promise.race([this.ended, late]);
    timer.abort();
    return this.#hasEnded;
  }
}

function serverArguments(options: ServerOptions): string[] {
  const settings: Record<string, string> = {
    listen_addresses: "127.0.0.1",
    // No socket file: its path would be too long in deep directories, and loopback with a password is enough.
    unix_socket_directories: "",
    max_connections: "200",
    password_encryption: "scram-sha-256",
    timezone: "UTC",
    log_timezone: "UTC",
    jit: "off",
    ...(options.durable ? {} : { fsync: "off", full_page_writes: "off" }),
  };
  const flags = Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
  return ["-D", options.home.data, "-p", String(options.port), ...flags];
}
