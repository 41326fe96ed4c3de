import { setImmediate as immediate } from "node:timers/promises";
import { type Clock, systemClock } from "@aimass/core";
import { describe, expect, it } from "vitest";
import { Liveness } from "./liveness.ts";

/** A peer and a clock that a test moves: `pass` lets time go by, tick by tick. */
function watched(isBusy = () => true) {
  let now = 0;
  let bytes = 0;
  let due: { at: number; run: () => void } | undefined;
  let answer: (() => void) | undefined;
  const said: string[] = [];
  const clock: Clock = {
    ...systemClock,
    monotonic: () => now,
    timer: (ms, run) => {
      due = { at: now + ms, run };
      return { [Symbol.dispose]: () => (due = undefined) };
    },
  };
  const liveness = new Liveness({
    clock,
    pingIntervalMs: 100,
    pingTimeoutMs: 400,
    deadAfterMs: 2000,
    isBusy,
    bytesRead: () => bytes,
    ping: (answered) => {
      said.push("ping");
      answer = answered;
    },
    onStall: () => said.push("stall"),
    onRecover: () => said.push("recover"),
    onDeath: () => said.push("death"),
  });
  return {
    liveness,
    said,
    hear: () => {
      bytes += 10;
    },
    answer: () => answer?.(),
    dueInMs: () => (due?.at ?? Number.NaN) - now,
    async pass(ms: number, stepMs = 100) {
      for (const end = now + ms; now < end; ) {
        now += stepMs;
        due?.run();
        await immediate();
      }
    },
  };
}

describe("Liveness", () => {
  it("asks again after each answer", async () => {
    const peer = watched();
    for (let i = 0; i < 3; i++) {
      await peer.pass(100);
      peer.answer();
    }
    expect(peer.said).toEqual(["ping", "ping", "ping"]);
  });

  it("asks a quiet peer, takes silence for a stall and longer silence for death", async () => {
    const peer = watched();
    await peer.pass(400);
    expect(peer.said).toEqual(["ping"]);
    await peer.pass(200);
    expect(peer.said).toEqual(["ping", "stall"]);
    await peer.pass(1600);
    expect(peer.said).toEqual(["ping", "stall", "death"]);
  });

  it("takes any byte for a sign of life, though the PING waits behind large answers", async () => {
    const peer = watched();
    await peer.pass(100);
    for (let i = 0; i < 50; i++) {
      peer.hear();
      await peer.pass(100);
    }
    expect(peer.said).toEqual(["ping"]);
  });

  it("rests from an answer on while nobody waits for the peer, and asks at once when somebody does", async () => {
    let isBusy = true;
    const peer = watched(() => isBusy);
    await peer.pass(100);
    isBusy = false;
    peer.answer();
    expect(peer.dueInMs()).toBe(500);
    await peer.pass(500, 500);
    expect(peer.said).toEqual(["ping", "ping"]);
    // Until it is answered it is watched as closely as ever.
    expect(peer.dueInMs()).toBe(100);
    peer.answer();
    await peer.pass(300, 300);
    isBusy = true;
    peer.liveness.wake();
    expect(peer.said).toEqual(["ping", "ping", "ping"]);
    expect(peer.dueInMs()).toBe(100);
  });

  it("recovers with the answer", async () => {
    const peer = watched();
    await peer.pass(700);
    peer.answer();
    expect(peer.said).toEqual(["ping", "stall", "recover"]);
    await peer.pass(100);
    expect(peer.said.at(-1)).toBe("ping");
  });

  it("does not blame the peer for time in which this process stood still", async () => {
    const peer = watched();
    await peer.pass(100);
    await peer.pass(5000, 5000);
    expect(peer.said).toEqual(["ping"]);
    await peer.pass(200);
    expect(peer.said).toEqual(["ping"]);
    await peer.pass(200);
    expect(peer.said).toEqual(["ping", "stall"]);
  });
});
