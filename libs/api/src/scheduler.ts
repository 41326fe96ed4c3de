export * from "./gen/aimass/scheduler/v1/deployment_pb.js";
export * from "./gen/aimass/scheduler/v1/fleet_pb.js";
