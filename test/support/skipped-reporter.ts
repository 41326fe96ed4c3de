import type { Reporter, TestModule, TestSuite } from "vitest/node";

/** Ends a run with the checks this machine could not make (describeWith), by name and reason: the default reporter only counts them. */
export default class SkippedReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const skipped = modules.flatMap((module) => skippedOf(module));
    for (const { module, fullName } of skipped)
      process.stdout.write(`skipped: ${module.relativeModuleId} > ${fullName}\n`);
  }
}

function skippedOf(parent: TestModule | TestSuite): TestSuite[] {
  return [...parent.children.suites()].flatMap((suite) =>
    suite.name.includes("[skipped: ") ? [suite] : skippedOf(suite),
  );
}
