import { SessionService, type TokenPair } from "@aimass/api/auth";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import { createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-web";
import { errorOf } from "./errors.ts";

/** An API key or access token, or what gives the one for the next call. */
export type Credential = string | (() => string | Promise<string>);

const renewBeforeMs = 30_000;

/**
 * Signs a person in; the credential renews its access token by itself and ends with its session (at most 90 days). For programs, API keys are better.
 * Rejects with UNAUTHENTICATED for a wrong name or password. `now`: milliseconds since 1970; default: Date.now.
 */
export async function signedIn(
  server: string,
  { username, password, now = Date.now }: { username: string; password: string; now?: () => number },
): Promise<Credential> {
  const sessions = createClient(SessionService, createConnectTransport({ baseUrl: server, useBinaryFormat: true }));
  let tokens = await given(sessions.signIn({ username, password }));
  let renewing: Promise<TokenPair> | undefined;
  return async () => {
    const endsAt = tokens.accessExpiresAt === undefined ? 0 : timestampMs(tokens.accessExpiresAt);
    if (now() > endsAt - renewBeforeMs) {
      // A refresh token is good for one use: calls side by side share it.
      renewing ??= given(sessions.refreshSession({ refreshToken: tokens.refreshToken })).finally(() => {
        renewing = undefined;
      });
      tokens = await renewing;
    }
    return tokens.accessToken;
  };
}

async function given(answer: Promise<{ tokens?: TokenPair | undefined }>): Promise<TokenPair> {
  try {
    return (await answer).tokens as TokenPair;
  } catch (error) {
    throw errorOf(error);
  }
}
