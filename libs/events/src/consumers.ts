/** Services that publish and hear events, with the durable consumers that each holds. What they may do at a carrier follows from it. */
export const consumersOf: Readonly<Record<string, readonly string[]>> = {
  auth: ["audit-ledger", "auth-orphaned-grants"],
  registry: [],
  trainer: ["trainer-retraining"],
  scheduler: ["scheduler"],
};
