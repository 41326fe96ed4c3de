import { chmodSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { makeFolder } from "@aimass/core";

/** What the command line keeps for one server. */
export interface StoredSession {
  readonly username: string;
  readonly accessToken: string;
  /** Milliseconds since the epoch. */
  readonly accessExpiresAt: number;
  readonly refreshToken: string;
}

/** Sessions by server URL, in a file only its owner can read. */
export class CredentialsFile {
  readonly path: string;

  constructor(path = join(process.env.XDG_CONFIG_HOME || join(homedir(), ".config"), "aimass", "credentials.json")) {
    this.path = path;
  }

  find(server: string): StoredSession | undefined {
    return this.#read()[server];
  }

  save(server: string, session: StoredSession): void {
    this.#write({ ...this.#read(), [server]: session });
  }

  remove(server: string): void {
    const { [server]: _removed, ...rest } = this.#read();
    this.#write(rest);
  }

  #read(): Record<string, StoredSession> {
    try {
      return JSON.parse(readFileSync(this.path, "utf8")) as Record<string, StoredSession>;
    } catch {
      return {};
    }
  }

  #write(sessions: Record<string, StoredSession>): void {
    makeFolder(dirname(this.path), 0o700);
    const temporary = `${this.path}.${process.pid}`;
    writeFileSync(temporary, `${JSON.stringify(sessions, null, 2)}\n`, { mode: 0o600 });
    chmodSync(temporary, 0o600);
    renameSync(temporary, this.path);
  }
}
