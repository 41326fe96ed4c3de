import type { FeatureGraph } from "../feature-graph.ts";
import { type Accents, characterClass, classPattern, normalForms } from "./characters.ts";
import type { TextState } from "./text-state.ts";

/** A NUL never arrives in the graph, but a constant may not hold one either: U+0001 stands for "no such key". It is a control, so it has a form. */
const none = "\u0001";

/** The text of a column as TF-IDF weights, FP32 [N, terms]. */
export function addTextToGraph(graph: FeatureGraph, state: TextState): string {
  const text = addNormaliser(graph, graph.valueOf(state.column), state.accents, state.analyzer === "characters");
  const tokens = state.analyzer === "characters" ? characters(graph, text) : words(graph, text, state.minWordLength);
  return weights(graph, graph.node("TfIdfVectorizer", [tokens], pool(state.terms)), state);
}

/** BYTES [N] → BYTES [N]: `Normaliser.normalise` as look-ups for each character, put together again. */
function addNormaliser(graph: FeatureGraph, text: string, accents: Accents, joinSpaces: boolean): string {
  const forms = normalForms(accents);

  const start = graph.node("Expand", [graph.strings([""], [1, 1]), columnShape(graph, text)]);
  const letters = graph.join([start, characters(graph, text)]);
  const found = graph.node("LabelEncoder", [letters], {
    keys_strings: { strings: [...forms.keys()].map((code) => String.fromCodePoint(code)) },
    values_strings: { strings: [...forms.values()] },
    default_string: { string: none },
  });
  const unchanged = graph.node("Equal", [found, graph.strings([none])]);
  const normal = graph.node("Where", [unchanged, letters, found]);
  return concatenated(graph, joinSpaces ? spacesJoined(graph, normal, start) : normal);
}

/** [N, 1] for a value [N]. */
function columnShape(graph: FeatureGraph, value: string): string {
  return graph.node("Concat", [graph.node("Shape", [value]), graph.ints([1])], { axis: { int: 0 } });
}

/** Drops a space that follows a space. */
function spacesJoined(graph: FeatureGraph, letters: string, start: string): string {
  const space = graph.strings([" "]);
  const axis = graph.ints([1]);
  const before = graph.join([start, graph.node("Slice", [letters, graph.ints([0]), graph.ints([-1]), axis])]);
  const twice = graph.node("And", [graph.node("Equal", [letters, space]), graph.node("Equal", [before, space])]);
  return graph.node("Where", [twice, graph.strings([""]), letters]);
}

/** BYTES [N, L] → BYTES [N]: every round joins eight neighbours into one, until one is left. */
function concatenated(graph: FeatureGraph, letters: string): string {
  const yes = graph.builder.constant(graph.builder.freshName("yes"), "BOOL", [], Uint8Array.of(1));
  const body = graph.body("join");
  const { builder } = body;
  const [round, going, state] = ["round", "going", "letters"].map((name) => builder.freshName(name)) as [
    string,
    string,
    string,
  ];
  builder.input(round, "INT64", []);
  builder.input(going, "BOOL", []);
  builder.input(state, "BYTES", ["N", "L"]);
  const joined = eightJoined(body, state);
  const length = body.node("Shape", [joined], { start: { int: 1 } });
  const goesOn = body.node("Squeeze", [body.node("Greater", [length, body.ints([1])])]);
  builder.output(goesOn, "BOOL", []);
  builder.output(joined, "BYTES", ["N", "M"]);
  const whole = graph.node("Loop", ["", yes, letters], { body: { graph: builder.toGraph() } });
  return graph.node("Reshape", [whole, graph.ints([-1])]);
}

/** BYTES [N, L] → BYTES [N, ⌈L / 8⌉]. */
function eightJoined(graph: FeatureGraph, letters: string): string {
  const shape = graph.node("Shape", [letters]);
  const rows = graph.node("Slice", [shape, graph.ints([0]), graph.ints([1])]);
  const length = graph.node("Slice", [shape, graph.ints([1]), graph.ints([2])]);
  const eight = graph.ints([8]);
  const lacking = graph.node("Mod", [graph.node("Neg", [length]), eight]);
  const padding = graph.node("Concat", [rows, lacking], { axis: { int: 0 } });
  const padded = graph.join([letters, graph.node("Expand", [graph.strings([""], [1, 1]), padding])]);
  let parts = graph.node("Reshape", [padded, graph.node("Concat", [rows, graph.ints([-1, 8])], { axis: { int: 0 } })]);
  for (const width of [4, 2, 1]) parts = halvesJoined(graph, parts, width);
  return graph.node("Squeeze", [parts, graph.ints([2])]);
}

/** Joins neighbours on the last axis: the even places with the odd ones. */
function halvesJoined(graph: FeatureGraph, parts: string, width: number): string {
  const [end, axis, step] = [graph.ints([2 * width]), graph.ints([2]), graph.ints([2])];
  const even = graph.node("Slice", [parts, graph.ints([0]), end, axis, step]);
  const odd = graph.node("Slice", [parts, graph.ints([1]), end, axis, step]);
  return graph.node("StringConcat", [even, odd]);
}

/** BYTES [N] → BYTES [N, L], code points with "" after the end of a text. */
function characters(graph: FeatureGraph, text: string): string {
  return tokenised(graph, text, { separators: { strings: [""] } });
}

function words(graph: FeatureGraph, text: string, minLength: number): string {
  const run = `${classPattern(characterClass.word)}{${minLength},}`;
  return tokenised(graph, text, { tokenexp: { string: `${classPattern(characterClass.single)}|${run}` } });
}

function tokenised(graph: FeatureGraph, text: string, how: Parameters<FeatureGraph["node"]>[2]): string {
  const common = { mark: { int: 0 }, mincharnum: { int: 1 }, pad_value: { string: "" } };
  return graph.node("Tokenizer", [text], { ...common, ...how });
}

/** Attributes that make TfIdfVectorizer count the terms, each in the column of its place. */
function pool(terms: TextState["terms"]): Parameters<FeatureGraph["node"]>[2] {
  const lengths = terms.map((term) => term.length);
  const longest = Math.max(...new Set(lengths));
  const starts: number[] = [];
  for (let length = 1, start = 0; length <= longest; length++) {
    starts.push(start);
    start += length * lengths.filter((other) => other === length).length;
  }
  return {
    mode: { string: "TF" },
    min_gram_length: { int: Math.min(...new Set(lengths)) },
    max_gram_length: { int: longest },
    max_skip_count: { int: 0 },
    ngram_counts: { ints: starts },
    ngram_indexes: { ints: terms.map((_, column) => column) },
    pool_strings: { strings: terms.flat() },
  };
}

/**
 * Counts FP32 [N, terms] to weights. Only what is not zero is worked on, K of thousands of elements a row: a pass over all of them for each
 * operator costs more than everything else.
 */
function weights(graph: FeatureGraph, counts: string, { sublinear, norm, weights }: TextState): string {
  const places = graph.node("Transpose", [graph.node("NonZero", [counts])], { perm: { ints: [1, 0] } });
  const found = graph.node("GatherND", [counts, places]);
  const scaled = sublinear ? graph.node("Add", [graph.node("Log", [found]), graph.floats([1])]) : found;
  const rarity = graph.node("Gather", [graph.floats(weights), axisOf(graph, places, 1)]);
  const weighted = graph.node("Mul", [scaled, rarity]);
  const values = norm === "none" ? weighted : unitLength(graph, weighted, axisOf(graph, places, 0), counts);
  return graph.node("ScatterND", [counts, places, values]);
}

/** Rows (0) or columns (1) of places INT64 [K, 2]. */
function axisOf(graph: FeatureGraph, places: string, axis: 0 | 1): string {
  return graph.node("Squeeze", [
    graph.node("Slice", [places, graph.ints([axis]), graph.ints([axis + 1]), graph.ints([1])]),
    graph.ints([1]),
  ]);
}

/** Values FP32 [K] of the rows INT64 [K] so that each row has length 1. Summed in FP64: over some thousand terms FP32 is off by more than 1e-5. */
function unitLength(graph: FeatureGraph, values: string, rows: string, counts: string): string {
  const exact = graph.cast(values, "double");
  const none = graph.cast(
    graph.node("ConstantOfShape", [graph.node("Shape", [counts], { end: { int: 1 } })]),
    "double",
  );
  const squares = graph.node("ScatterElements", [none, rows, graph.node("Mul", [exact, exact])], {
    axis: { int: 0 },
    reduction: { string: "add" },
  });
  const lengths = graph.cast(graph.node("Sqrt", [squares]), "float");
  return graph.node("Div", [values, graph.node("Gather", [lengths, rows])]);
}
