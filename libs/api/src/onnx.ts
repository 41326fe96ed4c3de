export * from "./gen/onnx/onnx_pb.js";
