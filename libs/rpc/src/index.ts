export { type Caller, callerKey, callerOf, requireVerb } from "./caller.ts";
export { type Decompression, decompress } from "./decompress.ts";
export { fromConnectError, toConnectError } from "./error-mapping.ts";
export { type FollowPolicyOptions, followPolicy, policyReady } from "./follow-policy.ts";
export { closeServiceClients } from "./grpc-channels.ts";
export { ReceivedBytes } from "./received-bytes.ts";
export { addReflection } from "./reflection-service.ts";
export { type RpcServer, type ServeRpcOptions, serveRpc } from "./rpc-server.ts";
export { createServiceClient, type ServiceClientOptions } from "./service-client.ts";
