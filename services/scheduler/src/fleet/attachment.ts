import type { Clock } from "@aimass/core";
import type { Logger } from "@aimass/telemetry";

/** Where reports go. */
export interface AttachmentPort<Report> {
  /** Takes the id over from whoever held it. */
  attach(report: Report): Promise<void>;
  /** Writes a report and renews the lease; false when another stream took the id over. */
  report(report: Report, isNews: boolean): Promise<boolean>;
  /** Says that the stream broke. */
  detach(): Promise<void>;
}

/**
 * One stream of an agent or a replica: writes reports when they say something new, else often enough to keep the lease. A report that could not be
 * written is followed by the next one; the stream stays, because what is attached serves on without a database. A process too busy to report is vouched for while its
 * stream stands, for a bounded time.
 */
export class Attachment<Report> {
  readonly #port: AttachmentPort<Report>;
  readonly #options: {
    clock: Clock;
    log: Logger;
    renewMs: number;
    silentMs: number;
    textOf: (report: Report) => string;
  };
  #attached = false;
  #heard: { report: Report; at: number } | undefined;
  #isFailing = false;
  #written: { text: string; at: number } | undefined;

  constructor(
    port: AttachmentPort<Report>,
    options: {
      clock: Clock;
      log: Logger;
      renewMs: number;
      /** How long one that reports nothing is vouched for. */
      silentMs: number;
      textOf: (report: Report) => string;
    },
  ) {
    this.#port = port;
    this.#options = options;
  }

  /** False when another stream took over: this one must end. */
  async report(report: Report): Promise<boolean> {
    const { clock } = this.#options;
    this.#heard = { report, at: clock.monotonic() };
    return this.#write(report);
  }

  /** Renews the lease of one that has reported nothing lately. False when another stream took over. */
  async vouch(): Promise<boolean> {
    const { clock, silentMs } = this.#options;
    if (!this.#attached || this.#heard === undefined || clock.monotonic() - this.#heard.at >= silentMs) return true;
    return this.#write(this.#heard.report);
  }

  async #write(report: Report): Promise<boolean> {
    const { clock, log, renewMs, textOf } = this.#options;
    const text = textOf(report);
    const isNews = text !== this.#written?.text;
    if (!isNews && clock.monotonic() - (this.#written?.at ?? 0) < renewMs) return true;
    try {
      if (!this.#attached) await this.#port.attach(report);
      else if (!(await this.#port.report(report, isNews))) return false;
      this.#attached = true;
      this.#written = { text, at: clock.monotonic() };
      this.#isFailing = false;
    } catch (error) {
      if (!this.#isFailing) log.warn("reports cannot be written; what is attached serves on", { error });
      this.#isFailing = true;
    }
    return true;
  }

  async detach(): Promise<void> {
    if (!this.#attached) return;
    try {
      await this.#port.detach();
    } catch (error) {
      this.#options.log.warn("end of a stream not written", { error });
    }
  }
}
