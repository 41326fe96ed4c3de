export { Connection } from "./client/connection.ts";
export { CredentialsFile } from "./client/credentials.ts";
export { uploadFile } from "./client/upload.ts";
export { Mesh, type MeshEvent, type MeshOptions } from "./up/mesh.ts";
export { freePort } from "./up/ports.ts";
