/** One version of one model. */
export interface VersionName {
  readonly project: string;
  readonly model: string;
  readonly version: bigint;
}

/** "project.model/3": the key of a version in maps and logs. */
export function versionKey({ project, model, version }: VersionName): string {
  return `${project}.${model}/${version}`;
}
