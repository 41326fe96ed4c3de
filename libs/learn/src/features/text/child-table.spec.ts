import fc from "fast-check";
import { expect, it } from "vitest";
import { ChildTable } from "./child-table.ts";

it("a table of children finds what was added and nothing else, however many there are", () => {
  const pairs = fc.uniqueArray(fc.tuple(fc.nat(200), fc.nat(2 ** 31 - 1)), {
    selector: ([node, token]) => `${node} ${token}`,
    maxLength: 400,
  });
  fc.assert(
    fc.property(pairs, fc.nat(400), (all, count) => {
      const table = new ChildTable();
      const added = all.slice(0, count);
      added.forEach(([node, token], i) => {
        table.add(node, token, i + 1);
      });
      expect(all.map(([node, token]) => table.find(node, token))).toEqual(all.map((_, i) => (i < count ? i + 1 : 0)));
    }),
  );
});
