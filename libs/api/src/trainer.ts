export * from "./gen/aimass/trainer/v1/trainer_pb.js";
