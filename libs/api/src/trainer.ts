export * from "./gen/aimass/trainer/v1/evaluation_pb.js";
export * from "./gen/aimass/trainer/v1/job_spec_pb.js";
export * from "./gen/aimass/trainer/v1/trainer_pb.js";
