import { workerData } from "node:worker_threads";
import { type ForestThreadData, helpForest } from "./forest-threads.ts";

helpForest(workerData as ForestThreadData);
