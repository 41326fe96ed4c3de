import { AimassError } from "@aimass/core";
import { createTelemetry } from "@aimass/telemetry";
import { TrialScorer } from "./score-trial.ts";
import type { TrialRun } from "./trial.ts";
import type { FromTrial, ToTrial, TrialSetup } from "./trial-message.ts";

// A trial's process: gets the setup, then scores one run after the other. It ends when the worker does.
process.on("disconnect", () => process.exit(1));

let scorer: Promise<TrialScorer> | undefined;

process.on("message", (message: ToTrial) => {
  if (message.kind === "setup") scorer = open(message.setup);
  else void score(message.run);
});

function open(setup: TrialSetup): Promise<TrialScorer> {
  const opening = TrialScorer.open(setup);
  // The runs tell of it.
  opening.catch(() => {});
  return opening;
}

async function score(run: TrialRun): Promise<void> {
  const send = (message: FromTrial) => void process.send?.(message);
  try {
    const opened = await scorer;
    if (opened === undefined) throw new AimassError("INTERNAL", "A run came before the setup.");
    send(await opened.score(run, (done, folds) => send({ kind: "fold", done, folds })));
  } catch (error) {
    const failure = AimassError.from(error);
    if (failure.code === "INTERNAL") {
      const { log } = createTelemetry({ service: "trainer-trial", env: process.env });
      log.error("a trial failed inside", { recipe: run.trial.recipe, error: failure.cause ?? failure });
    }
    send({ kind: "failed", reason: failure.advice });
  }
}
