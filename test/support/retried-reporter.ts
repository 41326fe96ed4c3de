import type { Reporter, TestModule } from "vitest/node";

/** Ends a run with the tests that were tried again: a retry is written beside the one test that needs it, with its reason, and is never silent. */
export default class RetriedReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    for (const module of modules) {
      for (const test of module.children.allTests()) {
        const times = test.diagnostic()?.retryCount ?? 0;
        if (times > 0) process.stdout.write(`tried again ${times}×: ${module.relativeModuleId} > ${test.fullName}\n`);
      }
    }
  }
}
