import { readFileSync } from "node:fs";

/** A process environment, injected so that tests never touch the real one. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** All that is wrong with an environment, reported at once. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(
      `The configuration has ${problems.length === 1 ? "a problem" : `${problems.length} problems`}:\n${problems.map((p) => `  ${p}`).join("\n")}`,
    );
    this.problems = problems;
  }
}

/** A network address. */
export interface Address {
  readonly host: string;
  /** 0 lets the system choose. */
  readonly port: number;
}

/** Reads variables by type. A problem is noted and a placeholder returned, so that one run finds every mistake. */
export interface Variables {
  /** Text; without a fallback the variable is required. */
  string(name: string, fallback?: string): string;
  /** Text that may be missing. */
  optional(name: string): string | undefined;
  /** A secret: `NAME`, or the content of the file that `NAME_FILE` names. */
  secret(name: string, fallback?: string): string;
  /** A whole number within bounds (inclusive). */
  integer(name: string, options: { fallback?: number; minimum: number; maximum: number }): number;
  /** A number within bounds (inclusive). */
  number(name: string, options: { fallback?: number; minimum: number; maximum: number }): number;
  /** "true" or "false" (also "1", "0"). */
  boolean(name: string, fallback: boolean): boolean;
  /** One of a set. */
  choice<T extends string>(name: string, choices: readonly T[], fallback?: T): T;
  /** "host:port", "[v6]:port" or ":port" (loopback). */
  address(name: string, fallback?: string): Address;
  /** Comma-separated addresses, at least one unless the fallback is "". */
  addresses(name: string, fallback?: string): readonly Address[];
  /**
   * Notes when two numbers that are both set contradict each other: `smaller`, so many `times`, may be at most `larger`. Where only one is set, the other's
   * default gives way in practice. `because` says what would never happen otherwise.
   */
  atMost(smaller: string, larger: string, options: { times?: number; because: string }): void;
  /** Notes when two listeners are given one port. By variable. */
  ownPorts(listeners: Readonly<Record<string, Address | readonly Address[]>>): void;
}

/**
 * Reads a configuration: `read` asks for every variable, then either the frozen result is returned or a ConfigError lists all problems.
 *
 * ### Example
 * ```ts
 * const config = readConfig(process.env, (v) => ({ listen: v.address("LISTEN", "127.0.0.1:0") }));
 * ```
 */
export function readConfig<T extends object>(env: Environment, read: (variables: Variables) => T): Readonly<T> {
  const problems: string[] = [];
  const config = read(createVariables(env, problems));
  if (problems.length > 0) throw new ConfigError(problems);
  return Object.freeze(config);
}

/** The two listeners of a service: AIMASS_LISTEN and AIMASS_ADMIN_LISTEN. */
export function readListeners(v: Variables): { readonly listen: Address; readonly adminListen: Address } {
  const listen = v.address("AIMASS_LISTEN", "127.0.0.1:0");
  const adminListen = v.address("AIMASS_ADMIN_LISTEN", "127.0.0.1:0");
  v.ownPorts({ AIMASS_LISTEN: listen, AIMASS_ADMIN_LISTEN: adminListen });
  return { listen, adminListen };
}

/** "host:port" as text; brackets around IPv6. */
export function formatAddress(address: Address): string {
  return address.host.includes(":") ? `[${address.host}]:${address.port}` : `${address.host}:${address.port}`;
}

/** Parses "host:port", "[v6]:port" or ":port"; undefined when it is none of these. */
export function parseAddress(text: string): Address | undefined {
  const match = /^(?:\[([^\]]+)\]|([^:[\]]*)):(\d{1,5})$/.exec(text.trim());
  if (match === null) return undefined;
  const port = Number(match[3]);
  return port > 65535 ? undefined : { host: match[1] ?? (match[2] || "127.0.0.1"), port };
}

function createVariables(env: Environment, problems: string[]): Variables {
  const present = (name: string) => (env[name] === "" ? undefined : env[name]);
  const required = (name: string, fallback: string | undefined): string => {
    const value = present(name) ?? fallback;
    if (value === undefined) problems.push(`${name} is not set.`);
    return value ?? "";
  };
  const number = (name: string, o: { fallback?: number; minimum: number; maximum: number }, whole: boolean): number => {
    const text = required(name, o.fallback === undefined ? undefined : String(o.fallback));
    const value = text.trim() === "" ? Number.NaN : Number(text);
    const fits = text !== "" && Number.isFinite(value) && value >= o.minimum && value <= o.maximum;
    if (text !== "" && !(fits && (!whole || Number.isInteger(value)))) {
      problems.push(
        `${name} is "${text}"; it must be a ${whole ? "whole " : ""}number from ${o.minimum} to ${o.maximum}.`,
      );
    }
    return value;
  };
  const address = (name: string, text: string): Address => {
    const parsed = parseAddress(text);
    if (parsed === undefined && text !== "")
      problems.push(`${name} has "${text}"; an address looks like 127.0.0.1:5000.`);
    return parsed ?? { host: "", port: 0 };
  };
  return {
    string: required,
    optional: present,
    secret(name, fallback) {
      const file = present(`${name}_FILE`);
      if (file === undefined) return required(name, fallback);
      if (present(name) !== undefined) problems.push(`${name} and ${name}_FILE are both set; set one of them.`);
      try {
        return readFileSync(file, "utf8").trim();
      } catch (error) {
        problems.push(`${name}_FILE names "${file}", which cannot be read (${(error as NodeJS.ErrnoException).code}).`);
        return "";
      }
    },
    integer: (name, options) => number(name, options, true),
    number: (name, options) => number(name, options, false),
    boolean(name, fallback) {
      const text = present(name)?.toLowerCase();
      if (text === undefined) return fallback;
      if (text === "true" || text === "1") return true;
      if (text !== "false" && text !== "0") problems.push(`${name} is "${text}"; it must be true or false.`);
      return false;
    },
    choice(name, choices, fallback) {
      const text = required(name, fallback);
      const choice = choices.find((c) => c === text);
      if (choice === undefined && text !== "")
        problems.push(`${name} is "${text}"; it must be one of ${choices.join(", ")}.`);
      return choice ?? (choices[0] as (typeof choices)[number]);
    },
    address: (name, fallback) => address(name, required(name, fallback)),
    addresses(name, fallback) {
      const text = required(name, fallback);
      return text === "" ? [] : text.split(",").map((part) => address(name, part.trim()));
    },
    atMost(smaller, larger, { times = 1, because }) {
      const [small, large] = [present(smaller), present(larger)];
      if (small === undefined || large === undefined || !(Number(small) * times > Number(large))) return;
      const most = Number(large) / times;
      problems.push(`${smaller} is ${small} and ${larger} is ${large}; ${smaller} may be ${most} at most: ${because}.`);
    },
    ownPorts: (listeners) => problems.push(...sharedPorts(listeners)),
  };
}

/** A sentence for each two listeners that cannot both have their port. Port 0 is another one each time. */
function sharedPorts(listeners: Readonly<Record<string, Address | readonly Address[]>>): string[] {
  const all = Object.entries(listeners).flatMap(([name, given]) =>
    [given].flat().map((address) => ({ name, address: address as Address })),
  );
  return all.flatMap((one, i) =>
    all.slice(i + 1).flatMap((other) => {
      if (!areOnePort(one.address, other.address)) return [];
      const [a, b] = [formatAddress(one.address), formatAddress(other.address)];
      const said =
        one.name === other.name ? `${one.name} has ${a} and ${b}` : `${one.name} has ${a} and ${other.name} has ${b}`;
      return [`${said}, which is one port; give each listener its own.`];
    }),
  );
}

const everyHost = new Set(["0.0.0.0", "::"]);

function areOnePort(a: Address, b: Address): boolean {
  if (a.port === 0 || a.port !== b.port) return false;
  return a.host === b.host || everyHost.has(a.host) || everyHost.has(b.host);
}
