export type { Answer, BodyMeter, BodyRules, HeaderFields, ResponseWriter, ServerCall } from "./call.ts";
export type { ClientStream, StreamRequest, UnaryRequest, UnaryResult } from "./client-call.ts";
export { Connections } from "./connection.ts";
export { type IdleConnection, IdleConnections, type IdleLimits } from "./idle-connections.ts";
export { type Listener, type ListenOptions, listen } from "./listener.ts";
export { PacedBody, type PaceRules } from "./paced-body.ts";
export { TokenBucket } from "./token-bucket.ts";
export { TransportError, type TransportFailure } from "./transport-error.ts";
export { Upstream, type UpstreamOptions, type UpstreamState } from "./upstream.ts";
