import type { Parameters, RowStream } from "../../estimator.ts";
import { Random } from "../../random.ts";
import type { Targets } from "../../targets.ts";
import { estimatorNamed } from "../catalogue.ts";

/**
 * `node stream-memory.ts NAME PARAMETERS ROWS COLS` fits to rows that are made when they are asked for and prints {streamedMiB, grownMiB}: what one pass reads, and
 * by how much the process grew at its widest.
 */
const [name = "", parameters = "{}", rows = "0", cols = "0"] = process.argv.slice(2);
const estimator = estimatorNamed(name);
const stream = madeRows(Number(rows), Number(cols), estimator.task === "regression");
// What the code itself takes is not what is asked.
await fit(madeRows(2048, stream.cols, estimator.task === "regression"));
const before = process.resourceUsage().maxRSS;
await fit(stream);
const grownMiB = (process.resourceUsage().maxRSS - before) / 1024;
process.stdout.write(JSON.stringify({ streamedMiB: (stream.rows * stream.cols * 4) / 2 ** 20, grownMiB }));

async function fit(given: RowStream): Promise<void> {
  if (estimator.fitStream === undefined) throw new Error(`${name} takes no streams.`);
  await estimator.fitStream(given, { random: new Random(1), parameters: JSON.parse(parameters) as Parameters });
}

function madeRows(total: number, width: number, isRegression: boolean): RowStream {
  const size = Math.min(total, 2048);
  const random = new Random(3);
  const data = Float32Array.from({ length: size * width }, () => random.next());
  const values = Float64Array.from({ length: size }, (_, r) => data[r * width]! + random.next());
  const labels = { datatype: "BYTES" as const, values: ["low", "high"] };
  const y: Targets = isRegression
    ? { kind: "numbers", values }
    : { kind: "classes", indices: Int32Array.from(values, (value) => (value > 1 ? 1 : 0)), labels };
  return {
    rows: total,
    cols: width,
    layout: "dense",
    targets: isRegression ? { kind: "numbers" } : { kind: "classes", labels },
    async *batches() {
      for (let from = 0; from < total; from += size) {
        const count = Math.min(size, total - from);
        const part: Targets =
          y.kind === "numbers"
            ? { ...y, values: y.values.subarray(0, count) }
            : { ...y, indices: y.indices.subarray(0, count) };
        yield { x: { kind: "dense", rows: count, cols: width, data: data.subarray(0, count * width) }, y: part };
      }
    },
  };
}
