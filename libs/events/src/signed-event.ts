import { type Event, EventSchema, type SignedEvent, SignedEventSchema } from "@aimass/api/events";
import type { ServiceIdentity } from "@aimass/identity";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import type { CarrierMessage } from "./event-carrier.ts";
import { subjectOf } from "./event-subject.ts";

/** Why a message from a carrier is passed over. */
export type Refusal =
  /** It is no event. */
  | "malformed"
  /** It carries no signature, or none of a key of the mesh. */
  | "unsigned"
  /** The signature does not fit: another key, other bytes, or another subject than it was signed for. */
  | "forged"
  /** The subject is not the one of what the event tells. */
  | "subject";

/** A message that was looked at: an event of the service it claims to come from, or why it is none. */
export type Opened =
  | { readonly kind: "event"; readonly event: Event }
  | { readonly kind: "refused"; readonly reason: Refusal };

const domain = Buffer.from("aimass.events.v1\0");
const zero = Buffer.from([0]);

/** A message as it goes to the carrier: its payload signed by this process's key, for this subject alone. */
export function signMessage(identity: ServiceIdentity, message: CarrierMessage): CarrierMessage {
  const { keyId, signature } = identity.sign(signingBytes(message.subject, message.payload));
  const signed = create(SignedEventSchema, { event: message.payload, keyId, signature });
  return { ...message, payload: toBinary(SignedEventSchema, signed) };
}

/** What a carrier brought. An event counts when the service that its source names signed it for the subject it came under. */
export function openMessage(identity: ServiceIdentity, message: CarrierMessage): Opened {
  if (message.beforeSigning === true) return openPlain(message, message.payload);
  const signed = decodeSigned(message.payload);
  if (signed === undefined || signed.signature.length === 0 || !identity.trusts(signed.keyId)) {
    return { kind: "refused", reason: "unsigned" };
  }
  const opened = openPlain(message, signed.event);
  if (opened.kind === "refused") return opened;
  const bytes = signingBytes(message.subject, signed.event);
  const fits = identity.verifySignature(signed.keyId, opened.event.source, bytes, signed.signature);
  return fits ? opened : { kind: "refused", reason: "forged" };
}

function openPlain(message: CarrierMessage, bytes: Uint8Array): Opened {
  const event = decode(bytes);
  if (event === undefined) return { kind: "refused", reason: "malformed" };
  return subjectOf(event) === message.subject ? { kind: "event", event } : { kind: "refused", reason: "subject" };
}

function signingBytes(subject: string, event: Uint8Array): Uint8Array {
  return Buffer.concat([domain, Buffer.from(subject), zero, event]);
}

function decodeSigned(bytes: Uint8Array): SignedEvent | undefined {
  try {
    return fromBinary(SignedEventSchema, bytes);
  } catch {
    return undefined;
  }
}

/** An event that tells something; undefined for other bytes. */
function decode(bytes: Uint8Array): Event | undefined {
  try {
    const event = fromBinary(EventSchema, bytes);
    return event.payload.case === undefined ? undefined : event;
  } catch {
    return undefined;
  }
}
