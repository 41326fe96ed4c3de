import { workerData } from "node:worker_threads";
import { helpSearch, type SearchHelp } from "./thread-search.ts";

helpSearch(workerData as SearchHelp);
