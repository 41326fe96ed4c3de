import { isTestFile, type SourceFile } from "./source-files.ts";
import { type Node, nameOf, syntaxTree, walk } from "./syntax-tree.ts";

/** An error reason that a service or the command line gives, as the source has it. */
export interface Reason {
  readonly name: string;
  /** Status codes it comes with, sorted; empty where only a caller of the place that throws knows. */
  readonly codes: readonly string[];
  /** What each place says would be right; values are "…". */
  readonly remedies: readonly string[];
}

/** A row of the catalogue: what the source says, and the meaning that a person wrote. */
interface Row extends Reason {
  readonly meaning: string;
}

interface Found {
  readonly name: string;
  readonly code: string | undefined;
  readonly remedy: string | undefined;
}

const reasonName = /^[A-Z][A-Z0-9]*(_[A-Z0-9]+)*$/;

/** All reasons of the source, by name: literals of `reason`, constants that stand for one, and arguments for a parameter of that name. */
export function reasonsOf(files: readonly SourceFile[]): Reason[] {
  const sources = files
    .filter((file) => !isTestFile(file.path) && /reason|const \w+ = "[A-Z]/i.test(file.text))
    .map((file) => [...walk(syntaxTree(file))]);
  const constants = new Map(sources.flat().flatMap(constantOf));
  const found = sources.flatMap((nodes) => reasonsOfFile(nodes, constants));
  const names = [...new Set(found.map(({ name }) => name))].sort();
  return names.map((name) => {
    const places = found.filter((one) => one.name === name);
    return { name, codes: distinct(places.map((p) => p.code)).sort(), remedies: distinct(places.map((p) => p.remedy)) };
  });
}

function reasonsOfFile(nodes: readonly Node[], constants: ReadonlyMap<string, string>): Found[] {
  const makers = new Map(nodes.flatMap((node) => makerOf(node, constants)));
  return nodes.flatMap((node) => [...thrownBy(node, constants), ...madeBy(node, makers, constants)]);
}

/** `new AimassError(code, message, { reason, … })`. */
function thrownBy(node: Node, constants: ReadonlyMap<string, string>): Found[] {
  if (node.type !== "NewExpression" || nameOf(node.callee) !== "AimassError") return [];
  const [code, , facts] = node.arguments as Node[];
  const reason = propertyOf(facts, "reason");
  return namesIn(reason, constants).map((name) => ({
    name,
    code: namesIn(code, constants)[0],
    remedy: sentence(propertyOf(facts, "remedy")),
  }));
}

interface Maker {
  readonly at: number;
  readonly preset: string | undefined;
  readonly remedyAt: number;
  readonly code: string | undefined;
}

/** A function with a parameter `reason` that makes errors: where the parameter stands, and the code of what it makes. */
function makerOf(node: Node, constants: ReadonlyMap<string, string>): [string, Maker][] {
  const isMethod = node.type === "MethodDefinition";
  if (node.type !== "FunctionDeclaration" && !isMethod) return [];
  const { params, body } = (isMethod ? node.value : node) as { params: Node[]; body: Node };
  const named = (name: string) =>
    params.findIndex((param) => nameOf(param) === name || nameOf(param.left as Node | undefined) === name);
  const at = named("reason");
  const name = nameOf(isMethod ? node.key : node.id);
  if (at < 0 || name === undefined) return [];
  const made = [...walk(body)].find((one) => one.type === "NewExpression" && nameOf(one.callee) === "AimassError");
  const preset = namesIn(params[at]?.right as Node | undefined, constants)[0];
  const code = made && namesIn((made.arguments as Node[])[0], constants)[0];
  return made === undefined ? [] : [[name, { at, preset, remedyAt: named("remedy"), code }]];
}

function madeBy(node: Node, makers: ReadonlyMap<string, Maker>, constants: ReadonlyMap<string, string>): Found[] {
  if (node.type !== "CallExpression") return [];
  const callee = node.callee as Node;
  const maker = makers.get(nameOf(callee) ?? nameOf(callee.property) ?? "");
  if (maker === undefined) return [];
  const given = node.arguments as Node[];
  const names = given[maker.at] === undefined ? [maker.preset] : namesIn(given[maker.at], constants);
  const remedy = sentence(given[maker.remedyAt]);
  return names.flatMap((name) => (name === undefined ? [] : [{ name, code: maker.code, remedy }]));
}

function constantOf(node: Node): [string, string][] {
  if (node.type !== "VariableDeclarator") return [];
  const name = nameOf(node.id);
  const value = (node.init as Node | null)?.value;
  return name !== undefined && typeof value === "string" && reasonName.test(value) ? [[name, value]] : [];
}

/** The names that an expression may have: its literals, or those of the constants it reads. */
function namesIn(node: Node | undefined | null, constants: ReadonlyMap<string, string>): string[] {
  if (!node) return [];
  if (node.type === "ConditionalExpression") {
    return [...namesIn(node.consequent as Node, constants), ...namesIn(node.alternate as Node, constants)];
  }
  const value = node.type === "Identifier" ? constants.get(node.name as string) : node.value;
  return typeof value === "string" && reasonName.test(value) ? [value] : [];
}

/** The text of a literal or a template, its values left out; undefined for anything else. */
function sentence(node: Node | undefined): string | undefined {
  if (node?.type === "Literal" && typeof node.value === "string") return node.value;
  if (node?.type !== "TemplateLiteral") return undefined;
  const parts = (node.quasis as { value: { cooked: string } }[]).map((part) => part.value.cooked);
  return parts.join("…").replace(/\s+/g, " ").trim();
}

function propertyOf(node: Node | undefined, name: string): Node | undefined {
  if (node?.type !== "ObjectExpression") return undefined;
  return (node.properties as Node[]).find((p) => nameOf(p.key) === name)?.value as Node | undefined;
}

function distinct(values: readonly (string | undefined)[]): string[] {
  return [...new Set(values.filter((value): value is string => value !== undefined && value !== "…"))];
}

const head = `# Error reasons

Every error carries a gRPC status, a sentence, and mostly a reason: a stable name that a program may
branch on. Over gRPC and Connect it stands in the detail \`aimass.common.v1.ErrorDetail\`; REST has
the sentence alone.

Written by \`node test/repo/write-errors.ts\` from the source; only the meanings are written by hand.
\`npm run check\` fails when a reason is missing here, or is given by nothing any more.

| reason | status | meaning | what would be right |
| --- | --- | --- | --- |
`;

const rowPattern = /^\| `([A-Z0-9_]+)` \| [^|]* \| (.*?) \| .*\|$/gm;

/** The catalogue's text for these reasons; meanings are taken from the text as it was. */
export function catalogueOf(reasons: readonly Reason[], before: string): string {
  const meanings = new Map([...before.matchAll(rowPattern)].map(([, name, meaning]) => [name, meaning ?? ""]));
  const rows = reasons.map((reason): Row => ({ ...reason, meaning: meanings.get(reason.name) ?? "" }));
  return head + rows.map(line).join("");
}

function line({ name, codes, meaning, remedies }: Row): string {
  const cells = [`\`${name}\``, codes.join(", "), meaning, remedies.slice(0, 2).join(" Or: ").replaceAll("|", "\\|")];
  return `| ${cells.join(" | ")} |\n`;
}

/** What is wrong with the catalogue, one sentence each. */
export function staleReasons(reasons: readonly Reason[], text: string): string[] {
  const unexplained = [...text.matchAll(rowPattern)].filter(([, , meaning]) => meaning === "");
  const problems = unexplained.map(([, name]) => `ERRORS.md does not say what ${name} means.`);
  if (text === catalogueOf(reasons, text)) return problems;
  return [...problems, "ERRORS.md is stale: run `node test/repo/write-errors.ts`, and write what new reasons mean."];
}
