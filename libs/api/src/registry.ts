export * from "./gen/aimass/registry/v1/artifact_pb.js";
export * from "./gen/aimass/registry/v1/dataset_pb.js";
export * from "./gen/aimass/registry/v1/model_pb.js";
