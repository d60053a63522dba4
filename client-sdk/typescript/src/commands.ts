// Every command of the protocol as a method.

import type { ItemOf } from "./core/items.js";
import type { Effect } from "./core/requests.js";
import type * as wire from "./protocol.js";

/** A new client id: a UUID of RFC 9562 version 7, which grows with time: the server's index of them stays dense. */
export function newClientId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  let millis = Date.now();
  for (let at = 5; at >= 0; at--, millis = Math.floor(millis / 256)) bytes[at] = millis % 256;
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x70;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/(.{8})(.{4})(.{4})(.{4})(.{12})/, "$1-$2-$3-$4-$5");
}

/** A text without marks as a body. */
export const textBody = (text: string, entities?: wire.Entity[]): wire.NewBody =>
  entities?.length ? { kind: "text", text, entities } : { kind: "text", text };

/** How a request is made. */
export interface Asking {
  /** Ends the waiting: the promise rejects with `cancelled`, and what was not written yet never is. What was may take effect. */
  signal?: AbortSignal;
}

/**
 * All methods reject with `ChaparError`; the server's own codes are in `ErrorCode`. A request survives reconnections
 * until its time is over (30 s). What it changes comes as an event, like what others change.
 */
export abstract class Commands {
  /** Asks any command of the protocol. */
  abstract request<M extends keyof wire.Commands>(method: M, params: wire.Commands[M]["params"], options?: Asking): Promise<wire.Commands[M]["reply"]>;
  protected abstract ask(method: string, params: unknown, effect: Effect, options?: Asking): Promise<unknown>;

  /** Changes the text of one's own message. */
  edit(chatId: wire.ChatId, seq: wire.Seq, body: string | wire.NewBody): Promise<wire.Changed> {
    return this.request("edit", { chat_id: chatId, seq, body: typeof body === "string" ? textBody(body) : body });
  }

  /** What the server knows of a file that one has uploaded. */
  getFile(fileId: wire.FileId): Promise<wire.FileInfo> {
    return this.request("get_file", { file_id: fileId });
  }

  /** Makes an uploaded `avatar` the own picture; without one there is none any more. */
  setAvatar(fileId?: wire.FileId): Promise<wire.User> {
    return this.request("set_avatar", { ...(fileId !== undefined && { file_id: fileId }) });
  }

  /** Makes a pack of stickers, or replaces the whole of one's own. Its files are one's own, uploaded as `sticker`. */
  setStickerPack(packId: wire.PackId, title: string, stickers: wire.NewPackSticker[]): Promise<wire.StickerPack> {
    return this.request("set_sticker_pack", { pack_id: packId, title, stickers });
  }

  /** Deletes a pack of stickers of one's own. Messages keep theirs. */
  deleteStickerPack(packId: wire.PackId): Promise<wire.Done> {
    return this.request("delete_sticker_pack", { pack_id: packId });
  }

  /** Some packs of stickers, whoever made them, at most 8; those that there are not are left out. */
  getStickerPacks(packIds: wire.PackId[]): Promise<wire.StickerPacks> {
    return this.request("get_sticker_packs", { pack_ids: packIds });
  }

  /** The packs of stickers that one has made. */
  getOwnStickerPacks(): Promise<wire.OwnStickerPacks> {
    return this.request("get_own_sticker_packs", {});
  }

  /** Has a message sent later by the server: at a time, or (undefined) when the other one of a direct chat is online. The event `item` of the kind `scheduled` tells all own devices. */
  schedule(message: wire.Send, at: Date | undefined): Promise<wire.Done> {
    return this.request("schedule", { message, ...(at === undefined ? { when_online: true } : { at: at.toISOString() }) });
  }

  /** Changes a message that is still to be sent; without a time, and not `whenOnline`, that stays. */
  editScheduled(clientId: string, change: { body?: wire.NewBody; at?: Date; whenOnline?: boolean }): Promise<wire.Done> {
    const { body, at, whenOnline = false } = change;
    return this.request("edit_scheduled", { client_id: clientId, ...(body && { body }), ...(at && { at: at.toISOString() }), ...(whenOnline && { when_online: true }) });
  }

  /** Sends some scheduled messages now. */
  sendScheduled(clientIds: string[]): Promise<wire.Done> {
    return this.request("send_scheduled", { client_ids: clientIds });
  }

  /** Takes some scheduled messages back. */
  deleteScheduled(clientIds: string[]): Promise<wire.Done> {
    return this.request("delete_scheduled", { client_ids: clientIds });
  }

  /** The own messages of a chat that are still to be sent. */
  getScheduled(chatId: wire.ChatId): Promise<wire.ScheduledMessages> {
    return this.request("get_scheduled", { chat_id: chatId });
  }

  /** Deletes a message for all. */
  delete(chatId: wire.ChatId, seq: wire.Seq): Promise<wire.Changed> {
    return this.request("delete", { chat_id: chatId, seq });
  }

  /** Deletes messages for all, at most 100: all of them, or none. */
  deleteMessages(chatId: wire.ChatId, seqs: wire.Seq[]): Promise<wire.Changed> {
    return this.request("delete_messages", { chat_id: chatId, seqs });
  }

  /** Deletes messages for oneself, at most 100, whoever wrote them: `isHidden` on all own devices, while others see them as before. */
  hideMessages(chatId: wire.ChatId, seqs: wire.Seq[]): Promise<wire.ItemsSet> {
    return this.request("hide_messages", { chat_id: chatId, seqs });
  }

  /** Sets one's reaction to a message; without one takes it back. */
  react(chatId: wire.ChatId, seq: wire.Seq, emoji?: string): Promise<wire.Changed> {
    return this.request("react", { chat_id: chatId, seq, ...(emoji !== undefined && { emoji }) });
  }

  /** Marks everything up to a message as read, on all own devices. Never goes back. */
  markRead(chatId: wire.ChatId, seq: wire.Seq): Promise<wire.Done> {
    return this.request("mark_read", { chat_id: chatId, seq });
  }

  /** Opens the direct chat with a user, making it if there is none; one's own id: the chat with oneself. */
  async openDirect(userId: wire.UserId): Promise<wire.ChatSnapshot> {
    return (await this.ask("open_direct", { user_id: userId }, "snapshot")) as wire.ChatSnapshot;
  }

  /** Makes a group or a channel. With a `clientId` of one's own a repetition finds the chat of the first try. */
  async createChat(options: {
    kind: "group" | "channel";
    title: string;
    handle?: string;
    members?: wire.UserId[];
    clientId?: string;
  }): Promise<wire.ChatSnapshot> {
    const { clientId, ...rest } = options;
    return (await this.ask("create_chat", { client_id: clientId ?? newClientId(), ...rest }, "snapshot")) as wire.ChatSnapshot;
  }

  /** A chat from scratch. Seldom needed: the SDK keeps chats up to date by itself. */
  async getChat(chatId: wire.ChatId): Promise<wire.ChatSnapshot> {
    return (await this.ask("get_chat", { chat_id: chatId }, "snapshot")) as wire.ChatSnapshot;
  }

  /** The members of a chat by user id, 200 a page; in a channel for owner and admins only. */
  getMembers(chatId: wire.ChatId, after?: wire.UserId): Promise<wire.Members> {
    return this.request("get_members", { chat_id: chatId, ...(after !== undefined && { after }) });
  }

  /** Adds users to a group or channel, at most 200. */
  addMembers(chatId: wire.ChatId, userIds: wire.UserId[]): Promise<wire.Changed> {
    return this.request("add_members", { chat_id: chatId, user_ids: userIds });
  }

  /** Removes somebody from a group or channel; with a reason, they and those who may remove are told it. */
  removeMember(chatId: wire.ChatId, userId: wire.UserId, reason?: string): Promise<wire.Changed> {
    return this.request("remove_member", { chat_id: chatId, user_id: userId, ...(reason && { reason }) });
  }

  /** Says how many seconds somebody who is no admin waits between two posts in a group; 0: not at all. */
  setSlowMode(chatId: wire.ChatId, seconds: number): Promise<wire.Changed> {
    return this.request("set_slow_mode", { chat_id: chatId, seconds });
  }

  /** Changes settings of a chat: what is named; the rest stays. */
  setChatSettings(chatId: wire.ChatId, change: wire.SettingsChange): Promise<wire.Changed> {
    return this.request("set_chat_settings", { chat_id: chatId, ...change });
  }

  /** What was done in a chat by those who may, the latest first, 100 a page. For owners and admins. */
  getAdminLog(chatId: wire.ChatId, before?: number): Promise<wire.AdminLog> {
    return this.request("get_admin_log", { chat_id: chatId, ...(before !== undefined && { before }) });
  }

  /** Changes a role. Naming another owner makes the old one an admin. */
  setRole(chatId: wire.ChatId, userId: wire.UserId, role: wire.Role): Promise<wire.Changed> {
    return this.request("set_role", { chat_id: chatId, user_id: userId, role });
  }

  /** Says what everybody in a group or channel may. */
  setChatRights(chatId: wire.ChatId, rights: wire.Right[]): Promise<wire.Changed> {
    return this.request("set_chat_rights", { chat_id: chatId, rights });
  }

  /** Says what an admin may beside what everybody may. */
  setAdminRights(chatId: wire.ChatId, userId: wire.UserId, rights: wire.Right[]): Promise<wire.Changed> {
    return this.request("set_admin_rights", { chat_id: chatId, user_id: userId, rights });
  }

  /**
   * Changes the title, the description or the photo of a group or channel, as far as they are named; an empty description is none. A photo
   * is a file of one's own of the kind `avatar`; `null` takes it away.
   */
  setInfo(chatId: wire.ChatId, info: { title?: string; description?: string; photo?: wire.FileId | null }): Promise<wire.Changed> {
    return this.request("set_info", { chat_id: chatId, ...info });
  }

  /** What the server finds behind a link that is about to be sent; `forbidden` where the operator does not allow it. */
  previewLink(url: string): Promise<wire.LinkPreviewed> {
    return this.request("preview_link", { url });
  }

  /** Has the posts of a channel discussed in a group; without one, no longer. */
  setDiscussion(chatId: wire.ChatId, groupId?: wire.ChatId): Promise<wire.Changed> {
    return this.request("set_discussion", { chat_id: chatId, ...(groupId !== undefined && { group_id: groupId }) });
  }

  /** Joins the group in which the posts of a channel are discussed. */
  async joinDiscussion(channelId: wire.ChatId): Promise<wire.ChatSnapshot> {
    return (await this.ask("join_discussion", { chat_id: channelId }, "snapshot")) as wire.ChatSnapshot;
  }

  /** A page of the thread that begins with `root`, that message among them: `before` older than `seq` and `after` from it on. */
  async thread(chatId: wire.ChatId, root: wire.Seq, seq: wire.Seq, before: number, after: number): Promise<{ message: wire.Message; myReaction: string | undefined }[]> {
    const page = await this.request("get_thread", { chat_id: chatId, root, seq, before, after });
    const mine = new Map((page.reacted ?? []).map((it) => [it.seq, it.emoji]));
    return page.messages.map((message) => ({ message, myReaction: mine.get(message.seq) }));
  }

  /** Answers a poll by the places of what is chosen, from 0; none takes the answer back. `Client.ownVote` tells how it stands. */
  vote(chatId: wire.ChatId, seq: wire.Seq, options: number[]): Promise<wire.Voted> {
    return this.request("vote", { chat_id: chatId, seq, options });
  }

  /** Ends a poll of one's own. */
  closePoll(chatId: wire.ChatId, seq: wire.Seq): Promise<wire.Changed> {
    return this.request("close_poll", { chat_id: chatId, seq });
  }

  /** Who has chosen an option of a public poll, by user id, 200 a page; go on with `after` while the answer has one. */
  getVoters(chatId: wire.ChatId, seq: wire.Seq, option: number, after?: wire.UserId): Promise<wire.Voters> {
    return this.request("get_voters", { chat_id: chatId, seq, option, ...(after !== undefined && { after }) });
  }

  /** Pins a message: it is shown above the others to all. */
  pinMessage(chatId: wire.ChatId, seq: wire.Seq): Promise<wire.Changed> {
    return this.request("pin_message", { chat_id: chatId, seq });
  }

  /** Takes a pin back. */
  unpinMessage(chatId: wire.ChatId, seq: wire.Seq): Promise<wire.Changed> {
    return this.request("unpin_message", { chat_id: chatId, seq });
  }

  /** Takes all pins back. */
  unpinAll(chatId: wire.ChatId): Promise<wire.Changed> {
    return this.request("unpin_all", { chat_id: chatId });
  }

  /** Who has reacted to a message of a direct chat or a group, with one reaction or any, by user id, 200 a page; go on with `after` while the answer has one. */
  getReactions(chatId: wire.ChatId, seq: wire.Seq, more: { emoji?: string; after?: wire.UserId } = {}): Promise<wire.Reactors> {
    return this.request("get_reactions", { chat_id: chatId, seq, ...more });
  }

  /** Who has read a message, in a group of at most 100. */
  getReaders(chatId: wire.ChatId, seq: wire.Seq): Promise<wire.Readers> {
    return this.request("get_readers", { chat_id: chatId, seq });
  }

  /** Takes rights from a member that everybody has, until a time (ISO 8601) or for good; none gives all back. */
  restrictMember(chatId: wire.ChatId, userId: wire.UserId, denied: wire.Right[], until?: wire.Timestamp): Promise<wire.Changed> {
    return this.request("restrict_member", { chat_id: chatId, user_id: userId, denied, ...(until !== undefined && { until }) });
  }

  /** Lets somebody who was removed come back by themselves. */
  unbanMember(chatId: wire.ChatId, userId: wire.UserId): Promise<wire.Changed> {
    return this.request("unban_member", { chat_id: chatId, user_id: userId });
  }

  /** Those who were removed and cannot come back, by user id, 200 a page. */
  getBanned(chatId: wire.ChatId, after?: wire.UserId): Promise<wire.Members> {
    return this.request("get_banned", { chat_id: chatId, ...(after !== undefined && { after }) });
  }

  /** Joins a public group or channel by its handle, without `@`. */
  async join(handle: string): Promise<wire.ChatSnapshot> {
    return (await this.ask("join", { handle }, "snapshot")) as wire.ChatSnapshot;
  }

  /** Makes an invite link of a group or channel, or changes one: with the id of one that there is. */
  setInvite(chatId: wire.ChatId, invite: { id?: wire.InviteId; title?: string; expiresAt?: wire.Timestamp; maxUses?: number; approval?: boolean } = {}): Promise<wire.Invite> {
    const { id, title, expiresAt, maxUses, approval } = invite;
    return this.request("set_invite", {
      chat_id: chatId,
      invite_id: id ?? newClientId(),
      ...(title && { title }),
      ...(expiresAt !== undefined && { expires_at: expiresAt }),
      ...(maxUses !== undefined && { max_uses: maxUses }),
      ...(approval && { approval }),
    });
  }

  /** Takes an invite link back, for good. */
  revokeInvite(chatId: wire.ChatId, inviteId: wire.InviteId): Promise<wire.Invite> {
    return this.request("revoke_invite", { chat_id: chatId, invite_id: inviteId });
  }

  /** The invite links of a chat, the one that was made last first. */
  getInvites(chatId: wire.ChatId): Promise<wire.Invites> {
    return this.request("get_invites", { chat_id: chatId });
  }

  /** Who came through an invite link, by user id, 200 a page. */
  getInviteUses(chatId: wire.ChatId, inviteId: wire.InviteId, after?: wire.UserId): Promise<wire.InviteUses> {
    return this.request("get_invite_uses", { chat_id: chatId, invite_id: inviteId, ...(after !== undefined && { after }) });
  }

  /** What an invite link leads to: a token, or an address that ends with one. */
  previewInvite(token: string): Promise<wire.InvitePreview> {
    return this.request("preview_invite", { token });
  }

  /** Comes in through an invite link, or asks to be let in. The chat comes with its first events. */
  joinByInvite(token: string): Promise<wire.JoinedByInvite> {
    return this.request("join_by_invite", { token });
  }

  /** Those who ask to be let in, by user id, 200 a page. */
  getJoinRequests(chatId: wire.ChatId, after?: wire.UserId): Promise<wire.JoinRequests> {
    return this.request("get_join_requests", { chat_id: chatId, ...(after !== undefined && { after }) });
  }

  /** Lets somebody in who asks for it, or does not. */
  answerJoinRequest(chatId: wire.ChatId, userId: wire.UserId, accept: boolean): Promise<wire.Changed> {
    return this.request("answer_join_request", { chat_id: chatId, user_id: userId, accept });
  }

  /** Leaves a group or channel. */
  leave(chatId: wire.ChatId): Promise<wire.Done> {
    return this.request("leave", { chat_id: chatId });
  }

  /** What a handle stands for, without `@`: a user or a public chat. */
  resolve(handle: string): Promise<wire.Resolved> {
    return this.request("resolve", { handle });
  }

  /** Who some users are, at most 200. `Client.user` does this by itself. */
  getUsers(userIds: wire.UserId[]): Promise<wire.Users> {
    return this.request("get_users", { user_ids: userIds });
  }

  /** Changes the own name, 1 to 128 characters. Others see it when they ask next. */
  setName(name: string): Promise<wire.User> {
    return this.request("set_name", { name });
  }

  /** The own call log, the latest first: those before a call, or from the start. */
  getCalls(limit = 50, before?: wire.CallId): Promise<wire.Calls> {
    return this.request("get_calls", { limit, ...(before !== undefined && { before }) });
  }

  /** Sets the own counter of missed calls to 0, on all own devices. */
  seeCalls(): Promise<wire.Done> {
    return this.request("see_calls", {});
  }

  /** How the person found a call that has ended: 1 to 5, and what was wrong. */
  rateCall(callId: wire.CallId, stars: number, issues: wire.CallIssue[] = []): Promise<wire.Done> {
    return this.request("call_rate", { call_id: callId, stars, ...(issues.length && { issues }) });
  }

  /** Sets some of the own things, at most 100: all of them or none. `Client.setItem` sets one. */
  setItems(items: ItemOf[]): Promise<wire.ItemsSet> {
    return this.request("set_items", { items });
  }

  /** Accepts a stranger's request, or declines it. The stranger learns of neither. */
  answerRequest(chatId: wire.ChatId, accept: boolean): Promise<wire.Done> {
    return this.request("answer_request", { chat_id: chatId, accept });
  }

  /** Tells the operator of somebody, perhaps by a message. */
  report(userId: wire.UserId, reason: wire.ReportReason, more: { chatId?: wire.ChatId; seq?: wire.Seq; note?: string } = {}): Promise<wire.Done> {
    const { chatId, seq, note } = more;
    return this.request("report", {
      user_id: userId,
      reason,
      ...(chatId !== undefined && { chat_id: chatId }),
      ...(seq !== undefined && { seq }),
      ...(note && { note }),
    });
  }

  /** The own signed-in devices. */
  getDevices(): Promise<wire.Devices> {
    return this.request("get_devices", {});
  }

  /** Signs one of the own devices out. */
  revokeDevice(deviceId: wire.DeviceId): Promise<wire.Done> {
    return this.request("revoke_device", { device_id: deviceId });
  }

  /** Signs all own devices out but this one. */
  revokeOtherDevices(): Promise<wire.Done> {
    return this.request("revoke_other_devices", {});
  }
}
