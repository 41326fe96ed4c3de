import { type Address, type Environment, readConfig, readListeners } from "@aimass/core";

/** What the console needs to know. */
export interface ConsoleConfig {
  readonly listen: Address;
  readonly adminListen: Address;
  readonly authAddresses: readonly Address[];
  readonly identityFile: string;
  readonly trustFile: string;
  /** Marks session cookies Secure also for browsers that seem to come by clear text, because a proxy ends TLS and does not say so. */
  readonly secureCookies: boolean;
}

/** Errors: ConfigError with every problem. */
export function readConsoleConfig(env: Environment): ConsoleConfig {
  return readConfig(env, (v) => ({
    ...readListeners(v),
    authAddresses: v.addresses("AIMASS_AUTH_ADDRESSES"),
    identityFile: v.string("AIMASS_IDENTITY_FILE"),
    trustFile: v.string("AIMASS_TRUST_FILE"),
    secureCookies: v.boolean("AIMASS_SECURE_COOKIES", false),
  }));
}
