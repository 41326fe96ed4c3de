import type { ModelProto, NodeProto } from "@aimass/api/onnx";
import { type AttributeProto, AttributeProtoSchema, AttributeProto_AttributeType as Type } from "@aimass/api/onnx";
import { create } from "@bufbuild/protobuf";
import { isOperator, nodesOf } from "./nodes.ts";

/** On every Linux system with glibc 2.35 or later. */
const plainLocale = "C.UTF-8";

/** The operator's default, which ONNX leaves to the runtime; ONNX Runtime takes it for "en_US.UTF-8". */
const defaultLocale = "en_US";

/**
 * Locales of glibc whose small letters and capitals are not Unicode's own: the Turkic i with and without a dot. All others give the same two for every code point as
 * "C.UTF-8"; an operator takes nothing else from its locale.
 */
const ownLetters = /^(az_AZ|crh_UA|ku_TR|tr_CY|tr_TR|tt_RU.*@iqtelif)/;

/** Whether a node asks for a locale that "C.UTF-8" can stand for. */
export function namesForeignLocale(model: ModelProto): boolean {
  return nodesOf(model).some(isForeign);
}

/** Gives such nodes "C.UTF-8", in place. */
export function namePlainLocale(model: ModelProto): string[] {
  const replaced = new Set<string>();
  for (const node of nodesOf(model)) {
    if (!isForeign(node)) continue;
    replaced.add(localeOf(node));
    const rest = node.attribute.filter(({ name }) => name !== "locale");
    node.attribute = [...rest, localeAttribute(plainLocale)];
  }
  return [...replaced].map(
    (locale) => `Texts are folded in the locale ${plainLocale}, which has the letters of ${JSON.stringify(locale)}.`,
  );
}

function isForeign(node: NodeProto): boolean {
  if (!isOperator(node, "StringNormalizer") || attributeOf(node)?.refAttrName) return false;
  const locale = localeOf(node);
  const [, language, codeset] = /^([a-z]{2,3}[_-][A-Z]{2})(?:\.([\w-]+))?(?:@\w+)?$/.exec(locale) ?? [];
  if (language === undefined || ownLetters.test(locale.replace("-", "_"))) return false;
  return codeset === undefined || /^utf-?8$/i.test(codeset);
}

function localeOf(node: NodeProto): string {
  const attribute = attributeOf(node);
  return attribute === undefined ? defaultLocale : new TextDecoder().decode(attribute.s);
}

function attributeOf(node: NodeProto): AttributeProto | undefined {
  return node.attribute.find(({ name }) => name === "locale");
}

function localeAttribute(locale: string): AttributeProto {
  return create(AttributeProtoSchema, { name: "locale", type: Type.STRING, s: new TextEncoder().encode(locale) });
}
