import type { Http2Session } from "node:http2";

/** Longer than this no peer needs to answer a PING. */
const patienceMs = 10_000;

const roundTrips = new WeakMap<Http2Session, RoundTrips>();

/**
 * Waits until the peer has answered a PING that is sent after this call, so that whatever it had sent before is here. False when the answer does not
 * come. Callers on one connection share PINGs: one that is under way was sent too early for those who come meanwhile.
 */
export function roundTrip(session: Http2Session): Promise<boolean> {
  const known = roundTrips.get(session) ?? new RoundTrips(session);
  roundTrips.set(session, known);
  return known.next();
}

class RoundTrips {
  readonly #session: Http2Session;
  #underWay: Promise<boolean> = Promise.resolve(true);
  #following: Promise<boolean> | undefined;

  constructor(session: Http2Session) {
    this.#session = session;
  }

  next(): Promise<boolean> {
    this.#following ??= this.#underWay.then(() => {
      this.#following = undefined;
      this.#underWay = ping(this.#session);
      return this.#underWay;
    });
    return this.#following;
  }
}

function ping(session: Http2Session): Promise<boolean> {
  return new Promise((resolve) => {
    const timeout = setTimeout(() => resolve(false), patienceMs);
    const settle = (answered: boolean) => {
      clearTimeout(timeout);
      resolve(answered);
    };
    if (session.destroyed) return settle(false);
    session.ping((error) => settle(error === null));
  });
}
