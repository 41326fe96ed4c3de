export * from "./gen/aimass/auth/v1/access_pb.js";
export * from "./gen/aimass/auth/v1/audit_pb.js";
export * from "./gen/aimass/auth/v1/directory_pb.js";
export * from "./gen/aimass/auth/v1/policy_pb.js";
export * from "./gen/aimass/auth/v1/session_pb.js";
