import { describe, expect, it } from "vitest";
import { World, vector, vectorNames } from "../support/vectors.js";

describe("the shared vectors", () => {
  const names = vectorNames();

  it("are all there", () => {
    expect(names.length).toBeGreaterThanOrEqual(50);
  });

  for (const most of [false, true]) {
    it.each(names)(`%s holds, with dice that show ${most ? "the most" : "1"}`, (name) => {
      const { given, steps } = vector(name);
      const world = new World(given, most);
      for (const [index, step] of steps.entries()) {
        const { expect: wanted, ...verbs } = step;
        for (const [verb, value] of Object.entries(verbs)) world.step(verb, value);
        expect(world.check(wanted), `step ${index + 1}`).toBeUndefined();
      }
    });
  }
});
