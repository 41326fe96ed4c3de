import { ServerReflection, type ServerReflectionRequest } from "@aimass/api/reflection";
import {
  type ServerReflectionRequest as AlphaRequest,
  ServerReflection as ServerReflectionAlpha,
} from "@aimass/api/reflection-alpha";
import { statusCodes } from "@aimass/core";
import { type DescFile, type DescMessage, type DescService, toBinary } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import type { ConnectRouter } from "@connectrpc/connect";

/** Adds server reflection, v1 and v1alpha, over the public services (https://github.com/grpc/grpc/blob/master/doc/server-reflection.md). */
export function addReflection(router: ConnectRouter, services: readonly DescService[]): void {
  const catalogue = new Catalogue([...services, ServerReflection, ServerReflectionAlpha]);
  router.service(ServerReflection, {
    async *serverReflectionInfo(requests) {
      for await (const request of requests) yield { originalRequest: request, ...catalogue.answer(request) };
    },
  });
  router.service(ServerReflectionAlpha, {
    async *serverReflectionInfo(requests) {
      for await (const request of requests) yield { originalRequest: request, ...catalogue.answer(request) };
    },
  });
}

/** What an answer says, in the shape that both versions of the protocol share. */
type Said =
  | { readonly case: "listServicesResponse"; readonly value: { service: { name: string }[] } }
  | { readonly case: "fileDescriptorResponse"; readonly value: { fileDescriptorProto: Uint8Array[] } }
  | { readonly case: "allExtensionNumbersResponse"; readonly value: { baseTypeName: string } }
  | { readonly case: "errorResponse"; readonly value: { errorCode: number; errorMessage: string } };

/** The files of some services, by name and by the symbols in them. */
class Catalogue {
  readonly #services: readonly { name: string }[];
  readonly #files = new Map<string, DescFile>();
  readonly #symbols = new Map<string, DescFile>();

  constructor(services: readonly DescService[]) {
    this.#services = services.map(({ typeName }) => ({ name: typeName }));
    for (const { file } of services) this.#add(file);
  }

  answer(request: Pick<ServerReflectionRequest | AlphaRequest, "host" | "messageRequest">) {
    return { validHost: request.host, messageResponse: this.#answerTo(request.messageRequest) };
  }

  #answerTo(question: (ServerReflectionRequest | AlphaRequest)["messageRequest"]): Said {
    switch (question.case) {
      case "listServices":
        return { case: "listServicesResponse", value: { service: [...this.#services] } };
      case "fileByFilename":
        return filesAnswer(this.#files.get(question.value), question.value);
      case "fileContainingSymbol":
        return filesAnswer(this.#symbols.get(question.value), question.value);
      case "allExtensionNumbersOfType":
        return this.#symbols.has(question.value)
          ? { case: "allExtensionNumbersResponse", value: { baseTypeName: question.value } }
          : failure(`"${question.value}"`);
      default:
        return failure(question.case === undefined ? "an empty question" : "extensions");
    }
  }

  #add(file: DescFile): void {
    if (this.#files.has(file.proto.name)) return;
    this.#files.set(file.proto.name, file);
    for (const service of file.services) {
      this.#symbols.set(service.typeName, file);
      for (const method of service.methods) this.#symbols.set(`${service.typeName}.${method.name}`, file);
    }
    for (const type of file.enums) this.#symbols.set(type.typeName, file);
    for (const message of file.messages) this.#addMessage(message, file);
    for (const dependency of file.dependencies) this.#add(dependency);
  }

  #addMessage(message: DescMessage, file: DescFile): void {
    this.#symbols.set(message.typeName, file);
    for (const type of message.nestedEnums) this.#symbols.set(type.typeName, file);
    for (const nested of message.nestedMessages) this.#addMessage(nested, file);
  }
}

/** A file with everything it imports, so that a client needs to ask once. */
function filesAnswer(file: DescFile | undefined, name: string): Said {
  if (file === undefined) return failure(`"${name}"`);
  const seen = new Set<DescFile>();
  const collect = (next: DescFile) => {
    if (seen.has(next)) return;
    seen.add(next);
    next.dependencies.forEach(collect);
  };
  collect(file);
  const fileDescriptorProto = [...seen].map((f) => toBinary(FileDescriptorProtoSchema, f.proto));
  return { case: "fileDescriptorResponse", value: { fileDescriptorProto } };
}

function failure(what: string): Said {
  const errorMessage = `This server knows nothing of ${what}.`;
  return { case: "errorResponse", value: { errorCode: statusCodes.NOT_FOUND, errorMessage } };
}
