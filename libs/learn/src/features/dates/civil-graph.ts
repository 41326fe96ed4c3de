import type { FeatureGraph } from "../feature-graph.ts";
import { daysPerEra, daysToEpoch, erasBefore, mostDays, weekdayOffset } from "./civil.ts";

/** Values of the graph, INT64 [N], as `CivilDay`. */
export interface CivilValues {
  readonly year: string;
  readonly month: string;
  readonly day: string;
  readonly weekday: string;
  readonly sinceMarch: string;
}

/** `civilOf` in the graph: `days` is FP64 [N] without gaps. */
export function addCivil(graph: FeatureGraph, days: string): CivilValues {
  const whole = (value: number) => graph.ints([value], []);
  const binary = (operator: string) => (a: string, b: string | number) =>
    graph.node(operator, [a, typeof b === "number" ? whole(b) : b]);
  const [add, sub, mul, div] = [binary("Add"), binary("Sub"), binary("Mul"), binary("Div")];
  const floored = graph.node("Floor", [days]);
  const epoch = graph.cast(
    graph.node("Min", [graph.node("Max", [floored, graph.doubles([-mostDays], [])]), graph.doubles([mostDays], [])]),
    "int64",
  );
  const z = add(epoch, daysToEpoch + erasBefore * daysPerEra);
  const era = div(z, daysPerEra);
  const inEra = sub(z, mul(era, daysPerEra));
  const leaps = add(sub(div(inEra, 1460), div(inEra, 36_524)), div(inEra, 146_096));
  const yearInEra = div(sub(inEra, leaps), 365);
  const before = sub(add(mul(yearInEra, 365), div(yearInEra, 4)), div(yearInEra, 100));
  const sinceMarch = sub(inEra, before);
  const fromMarch = div(add(mul(sinceMarch, 5), 2), 153);
  const day = add(sub(sinceMarch, div(add(mul(fromMarch, 153), 2), 5)), 1);
  const isLate = graph.node("Less", [fromMarch, whole(10)]);
  const month = graph.node("Where", [isLate, add(fromMarch, 3), sub(fromMarch, 9)]);
  const isEarly = graph.cast(graph.node("LessOrEqual", [month, whole(2)]), "int64");
  const year = add(add(yearInEra, mul(sub(era, erasBefore), 400)), isEarly);
  const weekday = graph.node("Mod", [add(epoch, mostDays + weekdayOffset), whole(7)]);
  return { year, month, day, weekday, sinceMarch };
}
