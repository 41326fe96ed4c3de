import type { Migration } from "@aimass/store";
import { jobs } from "./0001-jobs.ts";
import { queue } from "./0002-queue.ts";
import { devices } from "./0003-devices.ts";
import { trainers } from "./0004-trainers.ts";
import { retrainingSetAt } from "./0005-retraining-set-at.ts";

/** Every migration of the schema "trainer", in order. */
export const migrations: readonly Migration[] = [jobs, queue, devices, trainers, retrainingSetAt];
