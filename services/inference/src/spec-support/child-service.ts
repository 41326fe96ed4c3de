import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { type Address, parseAddress } from "@aimass/core";

/** A real process of this package, for specs. */
export class ChildService implements AsyncDisposable {
  readonly process: ChildProcess;
  readonly addresses: Readonly<Record<string, string>>;

  private constructor(process: ChildProcess, addresses: Readonly<Record<string, string>>) {
    this.process = process;
    this.addresses = addresses;
  }

  /** Starts `main` ("replica-main.ts") and waits until it says that it is ready. */
  static start(main: string, env: Record<string, string>): Promise<ChildService> {
    const file = fileURLToPath(new URL(`../${main}`, import.meta.url));
    const child = spawn(process.execPath, [file], { env, stdio: ["ignore", "inherit", "inherit", "ipc"] });
    return new Promise((resolve, reject) => {
      child.once("message", (message) =>
        resolve(new ChildService(child, (message as { ready: Record<string, string> }).ready)),
      );
      child.once("exit", (code) => reject(new Error(`${main} ended with ${code} before it was ready.`)));
    });
  }

  address(role: string): Address {
    return parseAddress(this.addresses[role] ?? "") as Address;
  }

  /** Sends a signal and waits for the end. */
  end(signal: NodeJS.Signals): Promise<number | null> {
    const { process: child } = this;
    if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve(child.exitCode);
    return new Promise((resolve) => {
      child.once("exit", (code) => resolve(code));
      child.kill(signal);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end("SIGTERM");
  }
}
