import { once } from "node:events";
import type { Writable } from "node:stream";
import type { Progress, ResultSink } from "./result-file.ts";
import { writing } from "./write-failure.ts";

/** Results as they come, on standard output or into a device. Refused rows are told, and kept nowhere. */
export class ResultStream implements ResultSink {
  readonly before = undefined;
  readonly errorsPath = undefined;
  readonly partialPath = undefined;
  readonly #to: Writable;
  readonly #name: string;
  #failure: Error | undefined;

  /** `name`: as a person knows it. */
  constructor(to: Writable, name: string) {
    this.#to = to;
    this.#name = name;
    to.on("error", this.#onError);
  }

  /** Errors: what the stream fails with, EPIPE when its reader has gone. */
  async write(results: string, _errors: string, _progress: Progress): Promise<void> {
    await writing(this.#name, async () => {
      if (this.#failure !== undefined) throw this.#failure;
      if (results !== "" && !this.#to.write(results)) await once(this.#to, "drain");
    });
  }

  async finish(): Promise<void> {
    await writing(this.#name, async () => {
      if (this.#failure !== undefined) throw this.#failure;
      await new Promise<void>((resolve, reject) =>
        this.#to.write("", (error) => (error === null || error === undefined ? resolve() : reject(error))),
      );
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#to.off("error", this.#onError);
    // What a broken stream still says has been told.
    this.#to.on("error", () => {});
  }

  readonly #onError = (error: Error): void => {
    this.#failure = error;
  };
}
