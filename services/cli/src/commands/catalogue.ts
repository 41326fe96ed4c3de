import type { Command } from "commander";

/** A file of this folder, and the commands that it adds. */
export interface CommandModule {
  readonly names: readonly string[];
  load(): Promise<(program: Command) => void>;
}

/** In the order of the help. */
export const commandModules: readonly CommandModule[] = [
  { names: ["up"], load: async () => (await import("./up.ts")).addUp },
  { names: ["demo"], load: async () => (await import("./demo.ts")).addDemo },
  { names: ["examples"], load: async () => (await import("./examples.ts")).addExamples },
  { names: ["login", "logout", "passwd", "whoami"], load: async () => (await import("./login.ts")).addLogin },
  { names: ["run"], load: async () => (await import("./run.ts")).addRun },
  { names: ["import"], load: async () => (await import("./import.ts")).addImport },
  { names: ["models"], load: async () => (await import("./models.ts")).addModels },
  { names: ["datasets"], load: async () => (await import("./datasets.ts")).addDatasets },
  { names: ["train"], load: async () => (await import("./train.ts")).addTrain },
  { names: ["jobs"], load: async () => (await import("./jobs.ts")).addJobs },
  { names: ["deploy"], load: async () => (await import("./deploy.ts")).addDeploy },
  { names: ["deployments"], load: async () => (await import("./deployments.ts")).addDeployments },
  { names: ["predict"], load: async () => (await import("./predict.ts")).addPredict },
  { names: ["status"], load: async () => (await import("./status.ts")).addStatus },
  { names: ["doctor"], load: async () => (await import("./doctor.ts")).addDoctor },
  { names: ["projects"], load: async () => (await import("./projects.ts")).addProjects },
  {
    names: ["grants", "keys", "users", "groups", "service-accounts", "sessions"],
    load: async () => (await import("./access.ts")).addAccess,
  },
  { names: ["audit"], load: async () => (await import("./audit.ts")).addAudit },
  { names: ["nodes", "quarantine"], load: async () => (await import("./nodes.ts")).addNodes },
  { names: ["admin"], load: async () => (await import("./admin.ts")).addAdmin },
  { names: ["completion"], load: async () => (await import("./completion.ts")).addCompletion },
];

/** Lists what every command takes. */
const needsAll = "completion";

/**
 * The modules that a command line needs: the one of its first word, for loading all takes longer than most commands. All of them where it starts with an option
 * or with no command, so that help and suggestions know every one.
 */
export function modulesFor(firstWord: string | undefined): readonly CommandModule[] {
  const named = commandModules.filter(({ names }) => names.includes(firstWord ?? ""));
  return named.length === 0 || firstWord === needsAll ? commandModules : named;
}
