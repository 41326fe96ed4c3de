import type { SessionService, TokenPair } from "@aimass/api/auth";
import { AimassError } from "@aimass/core";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import type { Client } from "@connectrpc/connect";

/** What the page is told: enough to call the APIs, nothing that outlives it. */
export interface BrowserSession {
  readonly accessToken: string;
  /** Milliseconds since the epoch. */
  readonly expiresAt: number;
}

/** A session with the cookie that renews it. */
export interface SessionAnswer {
  readonly session: BrowserSession | undefined;
  /** Undefined: the browser keeps the cookie it has. */
  readonly setCookie: string | undefined;
}

/** Who asks. */
export interface Browser {
  /** It came to the router by TLS: its cookie must never go over clear text. */
  readonly isSecure: boolean;
  /** Aborts when it goes away. */
  readonly signal: AbortSignal;
}

/** Only this path ever sees the cookie. */
export const sessionPath = "/console/session";
const cookieName = "aimass_session";

/**
 * Sessions of browsers: the refresh token lives in a cookie that scripts cannot read and other sites cannot send (HttpOnly, SameSite=Strict), the
 * short-lived access token in the page's memory.
 */
export class BrowserSessions {
  readonly #auth: Client<typeof SessionService>;
  readonly #secureCookies: boolean;

  /** `secureCookies`: also for browsers that seem to come by clear text. */
  constructor(auth: Client<typeof SessionService>, options: { secureCookies: boolean }) {
    this.#auth = auth;
    this.#secureCookies = options.secureCookies;
  }

  /** Errors: as SessionService.SignIn; INVALID_ARGUMENT for a body that is not a name and a password. */
  async signIn(body: Buffer, browser: Browser, headers: Record<string, string>): Promise<SessionAnswer> {
    const { tokens } = await this.#auth.signIn(parseCredentials(body), { headers, signal: browser.signal });
    return this.#answer(tokens, browser);
  }

  /** Errors: UNAUTHENTICATED without a valid cookie. */
  async renew(cookieHeader: string | undefined, browser: Browser): Promise<SessionAnswer> {
    const refreshToken = readCookie(cookieHeader);
    if (refreshToken === undefined)
      throw new AimassError("UNAUTHENTICATED", "There is no session.", { remedy: "Sign in." });
    const { tokens } = await this.#auth.refreshSession({ refreshToken }, { signal: browser.signal });
    return this.#answer(tokens, browser);
  }

  async signOut(cookieHeader: string | undefined, browser: Browser): Promise<SessionAnswer> {
    const refreshToken = readCookie(cookieHeader);
    if (refreshToken !== undefined) await this.#auth.signOut({ refreshToken }, { signal: browser.signal });
    return { session: undefined, setCookie: `${cookieName}=; Max-Age=0; ${this.#attributes(browser)}` };
  }

  #answer(tokens: TokenPair | undefined, browser: Browser): SessionAnswer {
    if (tokens?.accessExpiresAt === undefined || tokens.refreshExpiresAt === undefined)
      throw new AimassError("INTERNAL", "The auth service answered without tokens.");
    const session = { accessToken: tokens.accessToken, expiresAt: timestampMs(tokens.accessExpiresAt) };
    // Another tab renewed a moment ago: the answer to that one sets the next cookie.
    if (tokens.refreshToken === "") return { session, setCookie: undefined };
    const expires = new Date(timestampMs(tokens.refreshExpiresAt)).toUTCString();
    return {
      session,
      setCookie: `${cookieName}=${encodeURIComponent(tokens.refreshToken)}; Expires=${expires}; ${this.#attributes(browser)}`,
    };
  }

  #attributes({ isSecure }: Browser): string {
    return `Path=${sessionPath}; HttpOnly; SameSite=Strict${isSecure || this.#secureCookies ? "; Secure" : ""}`;
  }
}

/** The value of the session cookie in a Cookie header (RFC 6265 section 4.2). */
export function readCookie(header: string | undefined): string | undefined {
  for (const pair of (header ?? "").split(";")) {
    const at = pair.indexOf("=");
    if (at !== -1 && pair.slice(0, at).trim() === cookieName) {
      try {
        return decodeURIComponent(pair.slice(at + 1).trim()) || undefined;
      } catch {
        return undefined;
      }
    }
  }
  return undefined;
}

function parseCredentials(body: Buffer): { username: string; password: string } {
  try {
    const { username, password } = JSON.parse(body.toString("utf8")) as Record<string, unknown>;
    if (typeof username === "string" && typeof password === "string") return { username, password };
  } catch {
    // Answered below, like any other body that is not what is wanted.
  }
  throw new AimassError("INVALID_ARGUMENT", "The body is not a name and a password.", {
    remedy: 'Send {"username": "…", "password": "…"}.',
  });
}
