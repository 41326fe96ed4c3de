import type { Answer, BodyRules, HeaderFields, ResponseWriter, ServerCall } from "@aimass/h2";

/** Another call with something changed about it: what is not overridden is the other's. */
export class WrappedCall implements ServerCall {
  readonly #call: ServerCall;

  constructor(call: ServerCall) {
    this.#call = call;
  }

  get protocol() {
    return this.#call.protocol;
  }
  get method() {
    return this.#call.method;
  }
  get path() {
    return this.#call.path;
  }
  get authority() {
    return this.#call.authority;
  }
  get headers() {
    return this.#call.headers;
  }
  get remoteAddress() {
    return this.#call.remoteAddress;
  }
  get isEncrypted() {
    return this.#call.isEncrypted;
  }
  get signal() {
    return this.#call.signal;
  }
  recognize(): void {
    this.#call.recognize();
  }
  body(limitBytes: number, rules?: BodyRules): Promise<Buffer> {
    return this.#call.body(limitBytes, rules);
  }
  chunks(): AsyncIterable<Buffer> {
    return this.#call.chunks();
  }
  confirmBody(): Promise<void> {
    return this.#call.confirmBody();
  }
  respond(answer: Answer): void {
    this.#call.respond(answer);
  }
  open(status: number, headers: HeaderFields): ResponseWriter {
    return this.#call.open(status, headers);
  }
}
