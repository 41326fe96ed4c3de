import { ServerReflection, type ServerReflectionRequest } from "@aimass/api/reflection";
import { ServerReflection as ServerReflectionAlpha } from "@aimass/api/reflection-alpha";
import { statusCodes } from "@aimass/core";
import { type DescFile, type DescMessage, type DescService, toBinary } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import type { ConnectRouter } from "@connectrpc/connect";

/**
 * Adds server reflection v1 and v1alpha, which have equal messages: https://github.com/grpc/grpc/blob/master/doc/server-reflection.md.
 * Answers from the descriptors of `services` and its own; there are no extensions.
 */
export function addReflection(router: ConnectRouter, services: readonly DescService[]): void {
  const index = new DescriptorIndex([...services, ServerReflection, ServerReflectionAlpha]);
  router.service(ServerReflection, {
    async *serverReflectionInfo(requests) {
      for await (const request of requests) yield index.answer(request);
    },
  });
  router.service(ServerReflectionAlpha, {
    async *serverReflectionInfo(requests) {
      for await (const { $typeName: _, $unknown: __, ...request } of requests) {
        const { originalRequest: ___, ...answer } = index.answer(request as unknown as ServerReflectionRequest);
        yield { ...answer, originalRequest: request };
      }
    },
  });
}

class DescriptorIndex {
  readonly #names: readonly string[];
  readonly #files = new Map<string, DescFile>();
  readonly #fileOfSymbol = new Map<string, DescFile>();

  constructor(services: readonly DescService[]) {
    this.#names = services.map((service) => service.typeName).sort();
    for (const service of services) this.#addFile(service.file);
  }

  answer(request: ServerReflectionRequest) {
    return {
      validHost: request.host,
      originalRequest: request,
      messageResponse: this.#answerTo(request.messageRequest),
    };
  }

  #answerTo(question: ServerReflectionRequest["messageRequest"]) {
    switch (question.case) {
      case "listServices":
        return { case: "listServicesResponse", value: { service: this.#names.map((name) => ({ name })) } } as const;
      case "fileByFilename":
        return fileAnswer(this.#files.get(question.value), `file "${question.value}"`);
      case "fileContainingSymbol":
        return fileAnswer(this.#fileOfSymbol.get(question.value), `symbol "${question.value}"`);
      case "fileContainingExtension":
        return notFound(`extension ${question.value.extensionNumber} of "${question.value.containingType}"`);
      case "allExtensionNumbersOfType":
        return this.#fileOfSymbol.has(question.value)
          ? ({ case: "allExtensionNumbersResponse", value: { baseTypeName: question.value } } as const)
          : notFound(`type "${question.value}"`);
      default:
        return errorAnswer(statusCodes.INVALID_ARGUMENT, "The request asks for nothing.");
    }
  }

  #addFile(file: DescFile): void {
    const name = file.proto.name;
    if (this.#files.has(name)) return;
    this.#files.set(name, file);
    for (const service of file.services) {
      this.#fileOfSymbol.set(service.typeName, file);
      for (const method of service.methods) this.#fileOfSymbol.set(`${service.typeName}.${method.name}`, file);
    }
    for (const type of file.enums) this.#fileOfSymbol.set(type.typeName, file);
    for (const message of file.messages) this.#addMessage(message, file);
    for (const dependency of file.dependencies) this.#addFile(dependency);
  }

  #addMessage(message: DescMessage, file: DescFile): void {
    this.#fileOfSymbol.set(message.typeName, file);
    for (const type of message.nestedEnums) this.#fileOfSymbol.set(type.typeName, file);
    for (const nested of message.nestedMessages) this.#addMessage(nested, file);
  }
}

function fileAnswer(file: DescFile | undefined, what: string) {
  if (file === undefined) return notFound(what);
  const files = withDependencies(file).map((f) => toBinary(FileDescriptorProtoSchema, f.proto));
  return { case: "fileDescriptorResponse", value: { fileDescriptorProto: files } } as const;
}

function withDependencies(file: DescFile, seen = new Set<DescFile>()): DescFile[] {
  if (seen.has(file)) return [];
  seen.add(file);
  return [file, ...file.dependencies.flatMap((dependency) => withDependencies(dependency, seen))];
}

function notFound(what: string) {
  return errorAnswer(statusCodes.NOT_FOUND, `This server has no ${what}.`);
}

function errorAnswer(errorCode: number, errorMessage: string) {
  return { case: "errorResponse", value: { errorCode, errorMessage } } as const;
}
