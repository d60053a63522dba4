import { expect, it } from "vitest";
import list from "../../../../../protocol/vectors/bodies/visible.json";
import { shows } from "../../../src/text/visible.js";

const samples: { title: string; text: string; shows: boolean }[] = list;

it.each(samples)("$title", ({ text, shows: expected }) => expect(shows(text)).toBe(expected));
