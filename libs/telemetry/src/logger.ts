import pino from "pino";
import type { LogLevels } from "./log-levels.ts";
import { prettyStream } from "./pretty-stream.ts";

/** Writes facts, in the past tense, with fields rather than sentences with holes. An Error belongs in the field `error`. */
export interface Logger {
  debug(message: string, fields?: object): void;
  info(message: string, fields?: object): void;
  warn(message: string, fields?: object): void;
  error(message: string, fields?: object): void;
  /** A logger of the named scope, for instance "router.balance"; its level is what `LOG` says of that name. */
  scope(name: string): Logger;
}

/** Field names whose values never reach a log. */
const redacted = ["password", "secret", "token", "authorization", "apiKey", "privateKeyPem", "privateJwk"];

export interface LoggerOptions {
  readonly service: string;
  readonly instance: string;
  readonly levels: LogLevels;
  readonly format: "json" | "pretty";
  /** Where lines go. Default: standard error, written at once so that a crash loses none. */
  readonly destination?: { write(line: string): void };
}

/** A logger of the scope that is named like the service. */
export function createLogger(options: LoggerOptions): Logger {
  const destination = options.destination ?? pino.destination({ fd: 2, sync: true });
  const root = pino(
    {
      level: "debug",
      base: { service: options.service, instance: options.instance },
      messageKey: "message",
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { error: pino.stdSerializers.errWithCause },
      redact: { paths: [...redacted, ...redacted.map((name) => `*.${name}`)], censor: "[redacted]" },
    },
    options.format === "pretty" ? prettyStream(destination) : destination,
  );
  return new PinoLogger(root, options.levels, options.service);
}

class PinoLogger implements Logger {
  readonly #root: pino.Logger;
  readonly #levels: LogLevels;
  readonly #pino: pino.Logger;

  constructor(root: pino.Logger, levels: LogLevels, scope: string) {
    this.#root = root;
    this.#levels = levels;
    this.#pino = root.child({ scope }, { level: levels.of(scope) });
  }

  debug(message: string, fields: object = {}): void {
    this.#pino.debug(fields, message);
  }

  info(message: string, fields: object = {}): void {
    this.#pino.info(fields, message);
  }

  warn(message: string, fields: object = {}): void {
    this.#pino.warn(fields, message);
  }

  error(message: string, fields: object = {}): void {
    this.#pino.error(fields, message);
  }

  scope(name: string): Logger {
    return new PinoLogger(this.#root, this.#levels, name);
  }
}

/** Says nothing. */
export const silentLogger: Logger = {
  debug() {},
  info() {},
  warn() {},
  error() {},
  scope: () => silentLogger,
};
