export * from "./gen/inference/grpc_service_pb.js";
export * from "./gen/inference/model_config_pb.js";
