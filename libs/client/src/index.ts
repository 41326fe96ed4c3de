export { AimassError, type Code } from "@aimass/core/errors";
export type { MeshOptions } from "./connection.ts";
export { type Credential, signedIn } from "./credential.ts";
export { errorOf } from "./errors.ts";
export { connect, Mesh } from "./mesh.ts";
export { Model, type ModelShape, type Predictions } from "./model.ts";
export type { RetryOptions } from "./retry.ts";
export { type Elements, type Tensor, type TensorDatatype, tensor } from "./tensor.ts";
