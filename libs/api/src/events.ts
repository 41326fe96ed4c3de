export * from "./gen/aimass/events/v1/event_pb.js";
