export type {
  ArtifactStore,
  ListedArtifact,
  OpenArtifact,
  StoredArtifact,
  Upload,
  UploadPlan,
} from "./artifact-store.ts";
export { artifactNotFound, uploadNotFound } from "./errors.ts";
export { FileArtifactStore, type FileArtifactStoreOptions } from "./file-artifact-store.ts";
export { FileRecordStore } from "./file-record-store.ts";
export { type ArtifactLocation, openArtifactStore, openRecordStore, parseArtifactLocation } from "./location.ts";
export type { RecordStore } from "./record-store.ts";
export { S3ArtifactStore, type S3ArtifactStoreOptions } from "./s3-artifact-store.ts";
export type { S3Location } from "./s3-bucket.ts";
export { S3RecordStore } from "./s3-record-store.ts";
export { type ArtifactVariables, locateArtifacts, readArtifactVariables } from "./variables.ts";
