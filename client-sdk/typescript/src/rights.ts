// Who may do what in a chat, by what the server has told: for what is offered to a person. The server decides.

import type { ChatInfo, ChatKind, Member, Right, Role, Timestamp } from "./protocol.js";

/** What an admin may who was named without more words, beside what everybody may. */
export const ADMINS_RIGHTS: readonly Right[] = ["write", "react", "add", "remove", "delete", "list", "change_info", "pin"];
const ALL: readonly Right[] = [...ADMINS_RIGHTS, "name"];

/** What everybody can be given in a chat, and a member denied. */
export function everybodysRights(kind: ChatKind): readonly Right[] {
  if (kind === "direct") return [];
  return kind === "group" ? ["write", "react", "add", "change_info", "pin"] : ["react"];
}

/** What somebody may in a chat, and what was taken from them. */
export interface Standing {
  readonly rights: ReadonlySet<Right>;
  /** What they could do if it had not been taken from them. */
  readonly denied: ReadonlySet<Right>;
  /** Until when; absent for good, or when nothing is denied. */
  readonly until: Timestamp | undefined;
}

const NONE: ReadonlySet<Right> = new Set();

/** What is denied to a member now: a restriction ends by itself, and nobody is told. */
export function deniedNow(member: Member | undefined, now: number): readonly Right[] {
  if (member?.role !== "member" || !member.denied?.length) return [];
  return member.denied_until === undefined || Date.parse(member.denied_until) > now ? member.denied : [];
}

/** What somebody with this role may; `member` is their row, if it is known. `now` in milliseconds since 1970. */
export function standingIn(info: ChatInfo, role: Role | undefined, member: Member | undefined, now: number): Standing {
  const everybodys = info.kind === "direct" ? (["write", "react", "pin"] as const) : (info.rights ?? []);
  if (role === undefined) return { rights: NONE, denied: NONE, until: undefined };
  if (role === "owner") return { rights: new Set(ALL), denied: NONE, until: undefined };
  // One whose own rights were not told is taken for one who was named without more words.
  if (role === "admin") return { rights: new Set([...everybodys, ...(member?.role === "admin" ? (member.rights ?? []) : ADMINS_RIGHTS)]), denied: NONE, until: undefined };
  const denied = deniedNow(member, now);
  return {
    rights: new Set(everybodys.filter((it) => !denied.includes(it))),
    denied: new Set(everybodys.filter((it) => denied.includes(it))),
    until: denied.length ? member?.denied_until : undefined,
  };
}

const RANK = { member: 0, admin: 1, owner: 2 } as const;

/** Whether one role stands below another: only then can its holder be removed or restricted. */
export const isBelow = (role: Role | undefined, mine: Role | undefined): boolean =>
  mine !== undefined && (role === undefined || RANK[role] < RANK[mine]);
