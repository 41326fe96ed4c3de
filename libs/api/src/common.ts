export * from "./gen/aimass/common/v1/common_pb.js";
