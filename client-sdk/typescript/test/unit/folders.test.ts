import { describe, expect, test } from "vitest";
import cases from "../../../../protocol/vectors/folders/holds.json";
import { inFolder, isMuted } from "../../src/folders.js";
import type { Folder, FolderKind } from "../../src/protocol.js";

describe("which chats are in a folder", () => {
  test.each(cases)("$title", ({ folder, chat, holds }) => {
    const { id, kind, unread = false, muted = false, archived = false } = chat as { id: number; kind?: FolderKind; unread?: boolean; muted?: boolean; archived?: boolean };
    expect(inFolder(folder as Folder, { id, kind, unread, muted, archived })).toBe(holds);
  });
});

test("a mute holds until its time, or for good", () => {
  const now = Date.parse("2026-11-28T12:00:00.000Z");
  expect(isMuted(undefined, now)).toBe(false);
  expect(isMuted({}, now)).toBe(true);
  expect(isMuted({ until: "2026-11-28T12:00:00.001Z" }, now)).toBe(true);
  expect(isMuted({ until: "2026-11-28T12:00:00.000Z" }, now)).toBe(false);
});
