import { spawn } from "node:child_process";

/** How a program ended and what it wrote. */
export interface ProgramResult {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program to its end; kills it after `timeoutMs`. Never rejects for a bad exit: that is the caller's to judge. */
export function runProgram(
  command: string,
  args: readonly string[],
  options: { timeoutMs: number; cwd?: string; env?: Readonly<Record<string, string>> },
): Promise<ProgramResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      stdio: ["ignore", "pipe", "pipe"],
      ...(options.cwd !== undefined && { cwd: options.cwd }),
      env: { ...process.env, ...options.env },
    });
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    child.stdout.on("data", (chunk: Buffer) => out.push(chunk));
    child.stderr.on("data", (chunk: Buffer) => err.push(chunk));
    const timeout = setTimeout(() => child.kill("SIGKILL"), options.timeoutMs);
    child.once("error", reject);
    child.once("close", (status, signal) => {
      clearTimeout(timeout);
      const late = signal === "SIGKILL" ? `killed after ${options.timeoutMs} ms\n` : "";
      resolve({
        status: status ?? 1,
        stdout: Buffer.concat(out).toString(),
        stderr: late + Buffer.concat(err).toString(),
      });
    });
  });
}

/** Runs a program that must succeed; returns what it wrote to standard output. */
export async function mustRun(
  command: string,
  args: readonly string[],
  options: { timeoutMs: number; cwd?: string; env?: Readonly<Record<string, string>> },
): Promise<string> {
  const result = await runProgram(command, args, options);
  if (result.status === 0) return result.stdout;
  throw new Error(`${command} ended with ${result.status}: ${tail(result.stderr || result.stdout)}`);
}

/** The last lines of a text, for a message. */
export function tail(text: string, characters = 600): string {
  const trimmed = text.trim();
  return trimmed.length > characters ? `…${trimmed.slice(-characters)}` : trimmed;
}
