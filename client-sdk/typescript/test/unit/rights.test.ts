import { describe, expect, it } from "vitest";
import { deniedNow, everybodysRights, isBelow, standingIn } from "../../src/rights.js";
import type { ChatInfo, Member, Right } from "../../src/protocol.js";

const NOW = Date.parse("2026-11-23T08:30:00.000Z");
const info = (kind: ChatInfo["kind"], rights?: Right[]): ChatInfo => ({ id: 1, version: 1, kind, created_at: "2026-11-23T08:00:00.000Z", ...(rights && { rights }) });
const member = (more: Partial<Member>): Member => ({ user_id: 2, version: 1, role: "member", ...more });
const may = (...given: Parameters<typeof standingIn>): string => [...standingIn(...given).rights].sort().join(" ");
const GROUP: Right[] = ["write", "react", "list"];

describe("what somebody may", () => {
  it.each([
    ["a direct chat", info("direct"), "member", undefined, "pin react write"],
    ["a new group", info("group", GROUP), "member", undefined, "list react write"],
    ["a group that was told nothing", info("group"), "member", undefined, ""],
    ["one who is not in it", info("group", GROUP), undefined, undefined, ""],
    ["a reader", info("channel", ["react"]), "member", undefined, "react"],
    ["an owner, whatever everybody may", info("group"), "owner", undefined, "add change_info delete list name pin react remove write"],
    ["an admin with one right", info("group", GROUP), "admin", member({ role: "admin", rights: ["delete"] }), "delete list react write"],
    ["an admin with none in a quiet group", info("group", ["list"]), "admin", member({ role: "admin" }), "list"],
    ["an admin of a channel with one right", info("channel", ["react"]), "admin", member({ role: "admin", rights: ["write"] }), "react write"],
    ["an admin who has not been told", info("channel"), "admin", undefined, "add change_info delete list pin react remove write"],
    ["restricted for good", info("group", GROUP), "member", member({ denied: ["write"] }), "list react"],
    ["restricted until later", info("group", GROUP), "member", member({ denied: ["write"], denied_until: "2026-11-23T08:30:01.000Z" }), "list react"],
    ["restricted until now", info("group", GROUP), "member", member({ denied: ["write"], denied_until: "2026-11-23T08:30:00.000Z" }), "list react write"],
    ["denied what nobody may", info("group", ["react"]), "member", member({ denied: ["write"] }), "react"],
    ["restricted, then made an admin", info("group", GROUP), "admin", member({ role: "admin", denied: ["write"] }), "list react write"],
  ] as const)("%s", (_, chat, role, row, rights) => {
    expect(may(chat, role, row as Member | undefined, NOW)).toBe(rights);
  });

  it("says what was taken, and until when; not what nobody has", () => {
    const until = "2026-11-23T09:00:00.000Z";
    const taken = standingIn(info("group", ["write"]), "member", member({ denied: ["write", "react"], denied_until: until }), NOW);
    expect([[...taken.denied], taken.until]).toEqual([["write"], until]);
    expect(deniedNow(member({ denied: ["write"], denied_until: until }), Date.parse(until))).toEqual([]);
  });

  it("only somebody below can be removed, and only what everybody could have can be taken", () => {
    expect([isBelow("member", "admin"), isBelow("admin", "admin"), isBelow("owner", "admin"), isBelow("admin", "owner"), isBelow("member", undefined)]).toEqual([true, false, false, true, false]);
    expect([everybodysRights("direct"), everybodysRights("channel")]).toEqual([[], ["react"]]);
  });
});
