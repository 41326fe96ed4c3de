import { AimassError } from "@aimass/core";
import type { DescMessage, DescMethod, DescMethodUnary, DescService, MessageInitShape } from "@bufbuild/protobuf";
import { type CallOptions, type Client, makeAnyClient, type Transport } from "@connectrpc/connect";

type Input = MessageInitShape<DescMessage>;
type StreamingMethod = Parameters<Transport["stream"]>[0];

/**
 * Connect's client over a transport, with one difference: leaving a `for await` over a stream ends the call. (Connect's own client leaves it running until
 * a signal aborts.)
 */
export function createClientOver<S extends DescService>(service: S, transport: Transport): Client<S> {
  return makeAnyClient(service, (method: DescMethod) => {
    switch (method.methodKind) {
      case "unary":
        return unaryMethod(transport, method as DescMethodUnary);
      case "client_streaming":
        return (input: AsyncIterable<Input>, options?: CallOptions) =>
          only(method, streamOf(transport, method as StreamingMethod, input, options));
      case "server_streaming":
        return (input: Input, options?: CallOptions) =>
          streamOf(transport, method as StreamingMethod, one(input), options);
      case "bidi_streaming":
        return (input: AsyncIterable<Input>, options?: CallOptions) =>
          streamOf(transport, method as StreamingMethod, input, options);
    }
  }) as Client<S>;
}

function unaryMethod(transport: Transport, method: DescMethodUnary) {
  return async (input: Input, options: CallOptions = {}) => {
    const { signal, timeoutMs, headers, contextValues } = options;
    const response = await transport.unary(method, signal, timeoutMs, headers, input, contextValues);
    options.onHeader?.(response.header);
    options.onTrailer?.(response.trailer);
    return response.message;
  };
}

async function* streamOf(
  transport: Transport,
  method: StreamingMethod,
  input: AsyncIterable<Input>,
  options: CallOptions = {},
) {
  const { signal, timeoutMs, headers, contextValues } = options;
  const response = await transport.stream(method, signal, timeoutMs, headers, input, contextValues);
  options.onHeader?.(response.header);
  yield* response.message;
  options.onTrailer?.(response.trailer);
}

async function* one<T>(value: T): AsyncIterable<T> {
  yield value;
}

async function only<T>(method: DescMethod, messages: AsyncIterable<T>): Promise<T> {
  let answer: T | undefined;
  for await (const message of messages) answer = message;
  if (answer === undefined)
    throw new AimassError("INTERNAL", `${method.parent.typeName}/${method.name} sent no answer.`);
  return answer;
}
