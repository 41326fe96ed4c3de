const colours: Readonly<Record<string, number>> = { debug: 90, info: 36, warn: 33, error: 31 };

/** Turns JSON lines into lines for people: time, level, scope, message, fields. */
export function prettyStream(destination: { write(line: string): void }): { write(line: string): void } {
  return { write: (line) => destination.write(prettyLine(line)) };
}

function prettyLine(line: string): string {
  const { time, level, scope, message, service: _service, instance: _instance, ...fields } = JSON.parse(line);
  const { error, ...rest } = fields as { error?: { message?: string; stack?: string } };
  const head = `\x1b[90m${String(time).slice(11, 23)}\x1b[0m \x1b[${colours[level] ?? 0}m${String(level).padEnd(5)}\x1b[0m`;
  const tail = Object.entries(rest).map(([key, value]) => ` \x1b[90m${key}=\x1b[0m${shown(value)}`);
  const trouble = error === undefined ? "" : `\n    ${error.stack ?? error.message ?? shown(error)}`;
  return `${head} \x1b[90m${scope}\x1b[0m ${message}${tail.join("")}${trouble}\n`;
}

function shown(value: unknown): string {
  return typeof value === "string" && !/[\s"]/.test(value) ? value : JSON.stringify(value);
}
