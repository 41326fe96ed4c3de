import { type PolicyUpdate, type WatchPolicyResponse, WatchPolicyResponseSchema } from "@aimass/api/auth";
import { joinPieces, nextTurn, Semaphore } from "@aimass/core";
import { joinPolicyEntries, policyHeadBytes } from "@aimass/identity";
import { create } from "@bufbuild/protobuf";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import type { Held } from "./policy-reader.ts";

const updateField = WatchPolicyResponseSchema.field.update.number;

/** All entries of one state, encoded once, in turns, for however many followers need the whole: after an outage they come all at the same time. */
export class WholePolicy {
  readonly held: Held;
  /** Signed when the state was the newest, without entries. */
  readonly head: PolicyUpdate;
  readonly #entries: Promise<Buffer>;
  /** Answers are made one after the other, or all of them would be copied in one turn. */
  readonly #line = new Semaphore(1);

  /** `entries`: each a PolicyEntry. */
  constructor(held: Held, head: PolicyUpdate, entries: readonly Uint8Array[]) {
    this.held = held;
    this.head = head;
    this.#entries = joinPolicyEntries(entries);
  }

  /** Resolves when the entries are encoded. */
  async encoded(): Promise<void> {
    await this.#entries;
  }

  /** The whole as one answer, whose update is in its bytes already, under `head` or the same signed later. */
  answer(head: PolicyUpdate): Promise<WatchPolicyResponse> {
    return this.#line.run(async () => {
      const answer = create(WatchPolicyResponseSchema);
      // What is not known of a message is encoded as it is: nothing of it is decoded to be encoded again.
      const data = await this.#updateBytes(policyHeadBytes(head));
      answer.$unknown = [{ no: updateField, wireType: WireType.LengthDelimited, data }];
      await nextTurn();
      return answer;
    });
  }

  /** The update, with its length before it. */
  async #updateBytes(head: Uint8Array): Promise<Buffer> {
    const entries = await this.#entries;
    const length = new BinaryWriter().uint32(head.length + entries.length).finish();
    return joinPieces([length, head, entries], length.length + head.length + entries.length);
  }
}
