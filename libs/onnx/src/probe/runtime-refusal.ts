import { AimassError } from "@aimass/core";
import { graphFileName } from "../model-file.ts";
import { runtimeVersions } from "../served/newer-versions.ts";
import { cleanRuntimeMessage } from "./clean-message.ts";

/** What a file says it was written for. */
export interface Stamp {
  readonly irVersion: bigint;
  /** By domain; "" is ai.onnx. */
  readonly opsets: Readonly<Record<string, bigint>>;
}

interface Refusal {
  readonly message: string;
  readonly remedy: string;
}

/** Why ONNX Runtime does not load a file, from its own words: what in the file is too new or unknown, what this runtime has, and how to convert. */
export function runtimeRefusal(runtimeMessage: string, stamp: Stamp): AimassError {
  const reason = cleanRuntimeMessage(runtimeMessage);
  const known =
    tooNewIr(reason, stamp) ?? tooNewOpset(reason) ?? unknownOperator(reason, stamp) ?? unknownLocale(reason);
  const { message, remedy } = known ?? {
    message: `ONNX Runtime refuses the model: ${reason}`,
    remedy: "Export it with operators and an operator set that ONNX Runtime's CPU provider has.",
  };
  return new AimassError("INVALID_ARGUMENT", message, { reason: "REFUSED_BY_RUNTIME", field: graphFileName, remedy });
}

function tooNewIr(reason: string, { irVersion }: Stamp): Refusal | undefined {
  const most = /Unsupported model IR version: \d+, max supported IR version: (\d+)/.exec(reason)?.[1];
  if (most === undefined) return undefined;
  return {
    message: `The file has IR version ${irVersion}, which is too new: this ONNX Runtime loads up to IR version ${most}.`,
    remedy: `Write it with onnx.helper.make_model(graph, ir_version=${most}, opset_imports=[onnx.helper.make_opsetid("", ${runtimeVersions.opset})]), or set model.ir_version = ${most} before you save it.`,
  };
}

function tooNewOpset(reason: string): Refusal | undefined {
  const [, opset, domain, most] =
    /Opset (\d+) is under development.*official support for domain ([\w.]+) is till opset (\d+)/.exec(reason) ?? [];
  if (opset === undefined) return undefined;
  return {
    message: `The file has opset ${opset} of ${domain}, which is too new: this ONNX Runtime has up to opset ${most}.`,
    remedy:
      domain === "ai.onnx"
        ? `${converted(BigInt(most as string))} Or export it with target opset ${most}.`
        : `Export it with opset ${most} of ${domain}.`,
  };
}

function unknownOperator(reason: string, stamp: Stamp): Refusal | undefined {
  const [, unregistered, name] = /([\w.]+):(\w+)\(-?\d+\) is not a registered function\/op/.exec(reason) ?? [];
  if (unregistered !== undefined) return foreign(`${name} of the domain ${unregistered}`);
  const [, unimported] = /No opset import for domain '([^']*)'/.exec(reason) ?? [];
  if (unimported !== undefined) {
    return {
      message: `The file uses operators of the domain ${JSON.stringify(unimported)} without importing an opset of it.`,
      remedy: `Add onnx.helper.make_opsetid(${JSON.stringify(unimported)}, 1) to the model's opset_import, if it is one of ONNX Runtime's domains.`,
    };
  }
  const [, operator] = /No Op registered for (\w+) with domain_version of \d+/.exec(reason) ?? [];
  if (operator === undefined) return undefined;
  const opset = stamp.opsets[""] ?? stamp.opsets["ai.onnx"] ?? 0n;
  const isNewest = opset >= runtimeVersions.opset;
  return {
    message: `The operator ${operator} is not in opset ${opset} of ai.onnx as this ONNX Runtime has it${isNewest ? `, which goes up to ${runtimeVersions.opset}` : ""}.`,
    remedy: isNewest
      ? `Export it with target opset ${runtimeVersions.opset}, so that ${operator} is written with operators of that opset.`
      : `${converted(runtimeVersions.opset)} If ${operator} is no operator of ai.onnx, name its domain.`,
  };
}

function foreign(operator: string): Refusal {
  return {
    message: `The operator ${operator} is not a registered function or operator of this ONNX Runtime.`,
    remedy:
      "It has the operators of ai.onnx, ai.onnx.ml and com.microsoft on CPUs, and no custom ones: export the model without it, with operators of these domains, or put that step into the program that calls it.",
  };
}

function unknownLocale(reason: string): Refusal | undefined {
  const locale = /Failed to construct locale with name:\s*([\w.@-]+)/.exec(reason)?.[1]?.replace(/:$/, "");
  if (locale === undefined) return undefined;
  return {
    message: `A StringNormalizer asks for the locale ${locale}, which this machine does not have.`,
    remedy: `Export it with a locale that is everywhere, of scikit-learn's for instance with options={TfidfVectorizer: {"locale": "C.UTF-8"}}, or install ${locale} wherever it is inspected and served.`,
  };
}

function converted(opset: bigint): string {
  return `Convert it with onnx.version_converter.convert_version(model, ${opset}).`;
}
