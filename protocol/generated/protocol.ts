// Generated from the protocol crate. Do not edit.

/**
 * What a client should do about an error or a closed connection.
 */
export type Action = "retry" | "re_authenticate" | "resume" | "give_up";

/**
 * Adds users to a group or channel. For owners and admins. Those who are in it already stay as they are.
 */
export type AddMembers = { 
/**
 * Where.
 */
chat_id: ChatId, 
/**
 * Whom, at most 200.
 */
user_ids: Array<UserId>, };

/**
 * See [`OwnItem::StickerPack`].
 */
export type AddedPack = { 
/**
 * The lowest stands first.
 */
order: number, };

/**
 * What was done.
 */
export type AdminAction = { "type": "added", 
/**
 * Whom.
 */
user_ids: Array<UserId>, } | { "type": "removed", 
/**
 * Whom.
 */
user_id: UserId, 
/**
 * Why.
 */
reason?: string, } | { "type": "unbanned", 
/**
 * Whom.
 */
user_id: UserId, } | { "type": "restricted", 
/**
 * Whom.
 */
user_id: UserId, 
/**
 * What they may not; none: given back.
 */
denied?: Array<Right>, 
/**
 * Until when; absent for good.
 */
until?: Timestamp, } | { "type": "role", 
/**
 * Whose.
 */
user_id: UserId, 
/**
 * Which.
 */
role: Role, } | { "type": "admin_rights", 
/**
 * Whose.
 */
user_id: UserId, 
/**
 * Which.
 */
rights: Array<Right>, } | { "type": "rights", 
/**
 * Which.
 */
rights: Array<Right>, } | { "type": "discussion", 
/**
 * Of a channel the group, of a group the channel; absent: no longer.
 */
chat_id?: ChatId, } | { "type": "info", 
/**
 * Its title, if that was.
 */
title?: string, 
/**
 * What it is about, if that was.
 */
description?: boolean, 
/**
 * Its photo, if that was.
 */
photo?: boolean, } | { "type": "pinned", 
/**
 * Which.
 */
seq: Seq, } | { "type": "unpinned", 
/**
 * Of which message.
 */
seq: Seq, } | { "type": "deleted", 
/**
 * Which.
 */
seq: Seq, 
/**
 * Whose.
 */
user_id: UserId, } | { "type": "invite", 
/**
 * Which.
 */
invite_id: InviteId, 
/**
 * What it is called.
 */
title?: string, } | { "type": "invite_revoked", 
/**
 * Which.
 */
invite_id: InviteId, 
/**
 * What it was called.
 */
title?: string, } | { "type": "join_answered", 
/**
 * Who.
 */
user_id: UserId, 
/**
 * Whether they came in.
 */
accepted?: boolean, } | { "type": "slow", 
/**
 * In seconds; 0: none.
 */
seconds: number, } | { "type": "settings", 
/**
 * Nothing is forwarded. In groups and channels.
 */
no_forwarding?: boolean, 
/**
 * Whoever comes in from now on sees only what follows. In groups.
 */
hidden_history?: boolean, 
/**
 * Seconds after which new messages are deleted for all, 5 to 31,622,400; 0: never.
 */
delete_after?: number, 
/**
 * New posts are signed. In channels.
 */
signed?: boolean, } | { type: string } & Record<string, unknown>;

/**
 * The answer to [`GetAdminLog`].
 */
export type AdminLog = { 
/**
 * The latest first, at most 100.
 */
entries: Array<AdminLogEntry>, 
/**
 * Whether there are more.
 */
more: boolean, };

/**
 * One thing that somebody has done in a group or channel.
 */
export type AdminLogEntry = { 
/**
 * Grows with time.
 */
id: number, 
/**
 * When.
 */
at: Timestamp, 
/**
 * Who.
 */
by: UserId, 
/**
 * What.
 */
action: AdminAction, };

/**
 * One message of an album.
 */
export type AlbumItem = { 
/**
 * Made by the client, as for a single message.
 */
client_id: string, 
/**
 * A photo, a video, music or a document.
 */
body: NewBody, };

/**
 * A session description that answers.
 */
export type Answer = { 
/**
 * SDP, at most 16 KB; the server writes it anew.
 */
sdp: string, 
/**
 * The callee's nonce, 32 bytes in lower-case hexadecimal.
 */
nonce?: string, };

/**
 * Lets somebody in who asks for it, or does not. They are told. For those who may add.
 */
export type AnswerJoinRequest = { 
/**
 * Where.
 */
chat_id: ChatId, 
/**
 * Whom.
 */
user_id: UserId, 
/**
 * Whether they come in.
 */
accept: boolean, };

/**
 * Answers a stranger's request. Accepted, it is a chat like any other; declined, it is gone from the list and stays away, whatever
 * the stranger writes, until the user opens it (`open_direct`). The stranger learns of neither.
 */
export type AnswerRequest = { 
/**
 * Which.
 */
chat_id: ChatId, 
/**
 * Whether it is accepted.
 */
accept: boolean, };

/**
 * See [`OwnItem::Archive`].
 */
export type Archive = Record<symbol, never>;

/**
 * Anything that a device asks of a call that it was told of. What comes of it arrives as events.
 */
export type AskCall = { 
/**
 * Which call.
 */
call_id: CallId, } & ({ "ask": "look" } | { "ask": "ringing" } | { "ask": "accept", 
/**
 * `voice` answers a video call without video; `video` cannot be had for a voice call.
 */
media: CallMedia, 
/**
 * The callee's own wish: relay candidates only.
 */
relay_only: boolean, 
/**
 * The answer to the offer that came with the invite, if there is one already.
 */
answer?: Answer, } | { "ask": "decline" } | { "ask": "busy" } | { "ask": "hang_up" } | { "ask": "alive", 
/**
 * The highest revision that was told here. What is newer is told again.
 */
revision: number, 
/**
 * What was measured since the last one.
 */
report?: QualityReport, } | { "ask": "media", 
/**
 * It flows.
 */
flows: boolean, } | { "ask": "restart_ice" } | { "ask": "mute", 
/**
 * The microphone is off.
 */
muted: boolean, 
/**
 * The camera is off.
 */
camera_off: boolean, } | { "ask": "hold", 
/**
 * On hold.
 */
held: boolean, } | { "ask": "want_video" } | { "ask": "allow_video", 
/**
 * Yes.
 */
allow: boolean, } | { "ask": "stop_video" } | { "ask": "transfer", 
/**
 * Which.
 */
to: DeviceId, } | { "ask": "take_over" } | { "ask": "offer", 
/**
 * Which exchange.
 */
generation: number, 
/**
 * SDP, at most 16 KB; the server writes it anew.
 */
sdp: string, 
/**
 * SHA-256 over the caller's fingerprint and nonce, in lower-case hexadecimal: see the short authentication string.
 */
commitment?: string, } | { "ask": "answer", 
/**
 * Which exchange.
 */
generation: number, 
/**
 * SDP, at most 16 KB; the server writes it anew.
 */
sdp: string, 
/**
 * The callee's nonce, 32 bytes in lower-case hexadecimal.
 */
nonce?: string, } | { "ask": "reveal", 
/**
 * Which exchange.
 */
generation: number, 
/**
 * 32 bytes in lower-case hexadecimal.
 */
nonce: string, } | { "ask": "candidates", 
/**
 * Which exchange.
 */
generation: number, 
/**
 * Each as in `a=candidate`, without `a=`.
 */
candidates: Array<string>, });

/**
 * See [`super::OwnItem::JoinRequest`].
 */
export type AskedToJoin = { 
/**
 * The chat's title then.
 */
title: string, 
/**
 * Since when.
 */
at: Timestamp, 
/**
 * They were not let in.
 */
declined?: boolean, };

/**
 * To whom a person allows something. Who is blocked is allowed nothing, and who is a stranger no more than strangers are.
 */
export type Audience = "everybody" | "known" | "nobody";

/**
 * Music.
 */
export type AudioBody = { 
/**
 * The file.
 */
file: StoredFile, 
/**
 * How long it plays, in milliseconds; 0 when nobody knows.
 */
duration_ms: number, 
/**
 * What it is called.
 */
title?: string, 
/**
 * Who plays or sings.
 */
performer?: string, 
/**
 * The same in all messages of one album.
 */
album?: string, 
/**
 * At most 4096 UTF-16 code units, without U+0000; absent when there is none.
 */
text?: string, 
/**
 * The marks, by offset; an outer one before those inside it. At most 100.
 */
entities?: Array<Entity>, };

/**
 * How audio is coded.
 */
export type AudioCodec = "opus" | "red" | "unknown";

/**
 * See [`OwnItem::Block`].
 */
export type Block = Record<symbol, never>;

/**
 * What a message says. Other kinds will come; a client keeps a kind that it does not know as it is
 * and shows a line such as «update to see this message».
 */
export type Body = { "kind": "text" } & Text | { "kind": "photo" } & PhotoBody | { "kind": "video" } & VideoBody | { "kind": "round" } & RoundBody | { "kind": "voice" } & VoiceBody | { "kind": "audio" } & AudioBody | { "kind": "document" } & DocumentBody | { "kind": "sticker" } & StickerBody | { "kind": "location" } & LocationBody | { "kind": "contact" } & ContactBody | { "kind": "poll" } & Poll | { "kind": "service", 
/**
 * What happened.
 */
action: ServiceAction, } | { "kind": "deleted" } | { kind: string } & Record<string, unknown>;

/**
 * `POST /api/v1/admin/users`: makes accounts in bulk, for operators and load tests. They have no password.
 */
export type BulkUsers = { 
/**
 * How many, at most 10,000 a request.
 */
count: number, 
/**
 * The handles are this prefix and a number.
 */
prefix: string, };

/**
 * The answer to [`BulkUsers`].
 */
export type BulkUsersMade = { 
/**
 * In the order of their numbers.
 */
users: Array<SignedIn>, };

/**
 * A line of the call log.
 */
export type CallEntry = { 
/**
 * Which call.
 */
call_id: CallId, 
/**
 * In which direct chat.
 */
chat_id: ChatId, 
/**
 * Who called.
 */
caller: UserId, 
/**
 * Who was called.
 */
callee: UserId, 
/**
 * What it carried at its most.
 */
media: CallMedia, 
/**
 * When it began to ring.
 */
began_at: Timestamp, 
/**
 * When it ended.
 */
ended_at: Timestamp, 
/**
 * How long the two were connected, in seconds; 0 when they never were.
 */
seconds: number, } & ({ "reason": "hung_up" } | { "reason": "declined" } | { "reason": "busy" } | { "reason": "cancelled" } | { "reason": "missed" } | { "reason": "unreachable" } | { "reason": "glare", 
/**
 * The call that goes on.
 */
winner: CallId, } | { "reason": "not_connected" } | { "reason": "dropped" } | { "reason": "vanished" } | { "reason": "signed_out" } | { "reason": "node_stopped" } | { "reason": "node_lost" });

/**
 * Calls that have something in common. By day and by reason a call counts once; by region, relay, network and path each
 * of its two sides counts, since they may differ.
 */
export type CallFigures = { 
/**
 * What they have in common: a day as `YYYY-MM-DD`, a name, or empty where nothing was reported.
 */
value: string, 
/**
 * How many.
 */
calls: number, 
/**
 * Those that were answered.
 */
answered: number, 
/**
 * Those in which media flowed both ways.
 */
connected: number, 
/**
 * Connected of answered, 0 to 1.
 */
setup_success: number | null, 
/**
 * Half of the set-ups took at most this, in seconds from the answer to media on both sides.
 */
setup_seconds_p50: number | null, 
/**
 * 95 of 100 took at most this.
 */
setup_seconds_p95: number | null, 
/**
 * Sides of calls with a score.
 */
scored: number, 
/**
 * Their mean opinion score by the E-model (ITU-T G.107), 1 to 4.5.
 */
mos: number | null, 
/**
 * The share of them with a score below 3.1, 0 to 1.
 */
poor: number | null, 
/**
 * People who rated.
 */
rated: number, 
/**
 * The share of them who gave 4 or 5 stars, 0 to 1.
 */
satisfied: number | null, 
/**
 * The lower end of the 95 % interval of that share.
 */
satisfied_low: number | null, 
/**
 * Its upper end.
 */
satisfied_high: number | null, 
/**
 * The mean of the stars.
 */
stars: number | null, };

/**
 * A call. The calling device makes it, so that an invite can be sent again and still means one call.
 */
export type CallId = string;

/**
 * Calls somebody who has written in the direct chat with the asking user, or opened it. Asked over the connection of the device that calls.
 */
export type CallInvite = { 
/**
 * Made by the calling device, new for each call, the same for each retry.
 */
call_id: CallId, 
/**
 * Whom.
 */
user_id: UserId, 
/**
 * What is wished for.
 */
media: CallMedia, 
/**
 * Relay candidates only, for the whole call. Until the callee has accepted it is so for every call.
 */
relay_only: boolean, 
/**
 * The offer of generation 1, with relay candidates at most. Saves a round trip.
 */
offer?: Offer, };

/**
 * What was wrong with a call, in the person's words.
 */
export type CallIssue = "choppy" | "delay" | "echo" | "noise" | "quiet" | "one_way" | "slow_start" | "dropped" | "video" | "other";

/**
 * What a call carries.
 */
export type CallMedia = "voice" | "video";

/**
 * Credentials for one call, at the relays that are nearest to the asking device.
 */
export type CallRelays = { 
/**
 * Which call; it need not exist yet.
 */
call_id: CallId, 
/**
 * What was measured, at most 64. Without, the server guesses.
 */
round_trips?: Array<RelayRoundTrip>, };

/**
 * `GET /api/v1/admin/calls?from=…&to=…&by=…`: the calls that ended in these days.
 */
export type CallReport = { 
/**
 * The first day, as `YYYY-MM-DD`.
 */
from: string, 
/**
 * The last day.
 */
to: string, 
/**
 * How far the days are ahead of UTC, as `+03:30`.
 */
utc_offset: string, 
/**
 * By what.
 */
by: CallsBy, 
/**
 * In the order of the day, or those with the most calls first.
 */
lines: Array<CallFigures>, 
/**
 * All lines together.
 */
total: CallFigures, };

/**
 * The answer to [`CallRelays`].
 */
export type CallServers = { 
/**
 * The nearest first, at most 3. None when the operator runs no relay.
 */
servers: Array<IceServer>, 
/**
 * Until when the credentials open a new allocation. An allocation that exists outlives them.
 */
expires_at: Timestamp, };

/**
 * A [`CallSignal`] and the call that it belongs to.
 */
export type CallSignaled = { 
/**
 * Which call.
 */
call_id: CallId, } & ({ "kind": "offer", 
/**
 * Which exchange.
 */
generation: number, 
/**
 * SDP, at most 16 KB; the server writes it anew.
 */
sdp: string, 
/**
 * SHA-256 over the caller's fingerprint and nonce, in lower-case hexadecimal: see the short authentication string.
 */
commitment?: string, } | { "kind": "answer", 
/**
 * Which exchange.
 */
generation: number, 
/**
 * SDP, at most 16 KB; the server writes it anew.
 */
sdp: string, 
/**
 * The callee's nonce, 32 bytes in lower-case hexadecimal.
 */
nonce?: string, } | { "kind": "reveal", 
/**
 * Which exchange.
 */
generation: number, 
/**
 * 32 bytes in lower-case hexadecimal.
 */
nonce: string, } | { "kind": "candidates", 
/**
 * Which exchange.
 */
generation: number, 
/**
 * Each as in `a=candidate`, without `a=`.
 */
candidates: Array<string>, });

/**
 * What one device is told about a call: the whole, as seen from there.
 */
export type CallState = { 
/**
 * Which call.
 */
call_id: CallId, 
/**
 * Counts the changes of the call. Keep the highest, ignore what is not higher.
 */
revision: number, 
/**
 * The direct chat that it belongs to.
 */
chat_id: ChatId, 
/**
 * Who called.
 */
caller: UserId, 
/**
 * Who was called.
 */
callee: UserId, 
/**
 * What it carries now.
 */
media: CallMedia, 
/**
 * Neither side learns the other's address: only relay candidates, for the whole call.
 */
relay_only: boolean, 
/**
 * Whether to ask the person afterwards how it was. Asked sparingly: the operator says of how many calls.
 */
ask_rating: boolean, } & ({ "standing": "calling", 
/**
 * A device of the callee rings. Until then, say «calling», not «ringing».
 */
ringing: boolean, 
/**
 * When it ends as missed.
 */
until: Timestamp, } | { "standing": "ringing", 
/**
 * When it ends as missed.
 */
until: Timestamp, 
/**
 * The person called the caller at the same moment and lost to this call: it may be accepted at once.
 */
glare: boolean, } | { "standing": "take_over", 
/**
 * Until when.
 */
until: Timestamp, } | { "standing": "in_call" } & InCall | { "standing": "elsewhere" } | { "standing": "silent" } | { "standing": "ended", 
/**
 * Whose doing it was; absent when a timer ended it.
 */
by?: Party, } & ({ "reason": "hung_up" } | { "reason": "declined" } | { "reason": "busy" } | { "reason": "cancelled" } | { "reason": "missed" } | { "reason": "unreachable" } | { "reason": "glare", 
/**
 * The call that goes on.
 */
winner: CallId, } | { "reason": "not_connected" } | { "reason": "dropped" } | { "reason": "vanished" } | { "reason": "signed_out" } | { "reason": "node_stopped" } | { "reason": "node_lost" }));

/**
 * The answer to [`GetCalls`].
 */
export type Calls = { 
/**
 * The latest first.
 */
calls: Array<CallEntry>, 
/**
 * Whether there are more.
 */
more: boolean, };

/**
 * By what calls are looked at.
 */
export type CallsBy = "day" | "region" | "relay" | "network" | "reason" | "path";

/**
 * Where a candidate comes from (RFC 8445 section 5.1.1).
 */
export type CandidateType = "host" | "srflx" | "prflx" | "relay" | "unknown";

/**
 * The answer to [`Edit`], [`Delete`], [`React`] and the commands that change members.
 */
export type Changed = { 
/**
 * The chat's version after the change (or now, when nothing was to be changed).
 */
version: Version, };

/**
 * How far a client knows one chat, written `[chat_id, version, others_read]`.
 */
export type ChatCursor = [ChatId, Version, Seq];

/**
 * All changes of one chat after `from` up to and with `version`, each row in its final state.
 */
export type ChatDelta = { 
/**
 * Which chat.
 */
chat_id: ChatId, 
/**
 * The version that the receiver must have reached.
 */
from: Version, 
/**
 * The version that the receiver has afterwards.
 */
version: Version, 
/**
 * What changed, by version.
 */
rows?: Array<ChatRow>, };

/**
 * A direct chat, a group or a channel.
 */
export type ChatId = number;

/**
 * What all members of a chat see of it alike.
 */
export type ChatInfo = { 
/**
 * Which.
 */
id: ChatId, 
/**
 * The chat's version at the last change of what stands here.
 */
version: Version, 
/**
 * Its form.
 */
kind: ChatKind, 
/**
 * Its title; absent in direct chats.
 */
title?: string, 
/**
 * Its public handle, if anybody may join it by that.
 */
handle?: string, 
/**
 * When it was made.
 */
created_at: Timestamp, 
/**
 * What everybody in it may. Owners may everything, admins more, and some members less: see [`Member`].
 */
rights?: Array<Right>, 
/**
 * Of a channel: how many are in it, as last told.
 */
member_count?: number, 
/**
 * What it is about, in the words of whoever may change that.
 */
description?: string, 
/**
 * Its photo, as `/files/avatar/<id>/<80 or 320>`.
 */
photo?: FileId, 
/**
 * Messages that are shown above the others, the one that was pinned last at the end. They are there, and not deleted.
 */
pinned?: Array<Seq>, 
/**
 * In a group: seconds that somebody who is no admin waits between two posts; 0: none.
 */
slow_seconds?: number, 
/**
 * Of a channel: the group in which its posts are discussed. Of a group: the channel whose posts are.
 */
discussion?: Discussion, 
/**
 * What admins have set of it, if anything is.
 */
settings?: ChatSettings, };

/**
 * The three forms of a chat.
 */
export type ChatKind = "direct" | "group" | "channel";

/**
 * A row of a chat, as it was left by the change that gave it its version. Other kinds will come: a client passes over a row of
 * a kind that it does not know, and takes the versions of what came with it all the same.
 */
export type ChatRow = { "row": "info" } & ChatInfo | { "row": "member" } & Member | { "row": "message" } & Message | { "row": "reaction" } & Reacted | { "row": "vote" } & OwnVote;

/**
 * What is set of a chat, as all in it see it. Nothing is, where nobody has set anything.
 */
export type ChatSettings = { 
/**
 * Nothing of it is forwarded: the server refuses, and clients offer neither to copy nor to save.
 */
no_forwarding?: boolean, 
/**
 * In a group: whoever comes in from now on sees only what follows.
 */
hidden_history?: boolean, 
/**
 * Seconds after which new messages are deleted for all; 0: never.
 */
delete_after?: number, 
/**
 * In a channel: new posts are signed with their authors' names.
 */
signed?: boolean, };

/**
 * A chat from scratch: forget what was known of it and begin here.
 */
export type ChatSnapshot = { 
/**
 * The chat.
 */
chat: ChatInfo, 
/**
 * Its version, which this snapshot is at.
 */
version: Version, 
/**
 * The seq of its last message.
 */
last_seq: Seq, 
/**
 * Its members, for direct chats and groups, further ones by `get_members`; in channels only the asking user. Then its last
 * messages, by seq, without holes, older ones by `history`. Then the asking user's reactions to those messages.
 */
rows: Array<ChatRow>, 
/**
 * In a group: the messages after the own read mark that call the asking user, by a mention or as answers, by seq; the oldest 50.
 */
mentions?: Array<Seq>, };

/**
 * What brings one chat up to date.
 */
export type ChatSync = { "kind": "delta", 
/**
 * The changes.
 */
delta: ChatDelta, 
/**
 * Whether there are more after `delta.version`: ask `difference` again.
 */
more: boolean, } | { "kind": "snapshot", 
/**
 * From scratch.
 */
snapshot: ChatSnapshot, };

/**
 * One's own vote, told at once to all own devices.
 */
export type ChatVote = { 
/**
 * Where.
 */
chat_id: ChatId, 
/**
 * What was chosen.
 */
vote: OwnVote, };

/**
 * Ends a poll of one's own: nobody can vote any more, and a quiz tells all what is right.
 */
export type ClosePoll = { 
/**
 * Where.
 */
chat_id: ChatId, 
/**
 * Which message.
 */
seq: Seq, };

/**
 * The comments on a channel's post.
 */
export type Comments = { 
/**
 * The group in which they stand.
 */
chat_id: ChatId, 
/**
 * The post as it stands there: with it the thread begins.
 */
seq: Seq, 
/**
 * How many there are, as last told.
 */
count: number, };

/**
 * See [`OwnItem::Contact`].
 */
export type Contact = { 
/**
 * The own name for them, 1 to 128 characters; absent: the name that they gave themselves.
 */
name?: string, };

/**
 * Somebody's address.
 */
export type ContactBody = { 
/**
 * 1 to 128 characters.
 */
name: string, 
/**
 * Digits, 3 to 15 of them, with or without a `+` before them.
 */
phone?: string, 
/**
 * Who it is here. The server does not look whether there is somebody.
 */
user_id?: UserId, };

/**
 * Makes a group or a channel, with the asking user as owner.
 */
export type CreateChat = { 
/**
 * Makes a retry return the chat that the first try made.
 */
client_id: string, 
/**
 * `group` or `channel`.
 */
kind: ChatKind, 
/**
 * 1 to 128 characters.
 */
title: string, 
/**
 * A public handle, under which anybody may join.
 */
handle?: string, 
/**
 * Further members from the start, at most 200.
 */
members?: Array<UserId>, };

/**
 * Deletes a message for all, leaving a tombstone. One's own, or as owner or admin of a group or channel anybody's.
 */
export type Delete = { 
/**
 * Where.
 */
chat_id: ChatId, 
/**
 * Which.
 */
seq: Seq, };

/**
 * Deletes messages for all, as `delete` does with one: all of them, or none.
 */
export type DeleteMessages = { 
/**
 * Where.
 */
chat_id: ChatId, 
/**
 * 1 to 100, none twice.
 */
seqs: Array<Seq>, };

/**
 * Takes messages back that were to be sent later.
 */
export type DeleteScheduled = { 
/**
 * Their client ids, at most 100. Those that there are not are passed over.
 */
client_ids: Array<string>, };

/**
 * Deletes a pack of one's own. Messages that show its stickers keep them.
 */
export type DeleteStickerPack = { 
/**
 * Which.
 */
pack_id: PackId, };

/**
 * One signed-in device.
 */
export type Device = { 
/**
 * Which.
 */
id: DeviceId, 
/**
 * What the device called itself when it signed in.
 */
name: string, 
/**
 * When it signed in.
 */
created_at: Timestamp, 
/**
 * When it was last connected.
 */
last_seen_at: Timestamp, 
/**
 * Whether it is the device that asks.
 */
current: boolean, };

/**
 * One signed-in device of a user: a session with its own token.
 */
export type DeviceId = number;

/**
 * The answer to [`GetDevices`].
 */
export type Devices = { 
/**
 * The newest first.
 */
devices: Array<Device>, };

/**
 * The changes of some chats.
 */
export type Difference = { 
/**
 * Which, at most 100, each with the own version; 0 for a snapshot. Written `[[chat_id, version], …]`.
 */
chats: Array<[ChatId, Version]>, };

/**
 * The answer to [`Difference`]. Each chat that was named stands in one of the lists.
 */
export type Differences = { 
/**
 * What changed. At least one, if not all are gone.
 */
chats: Array<ChatSync>, 
/**
 * Those that did not fit: ask for them again.
 */
behind?: Array<ChatId>, 
/**
 * Those that the asking user is not in.
 */
gone?: Array<ChatId>, };

/**
 * What belongs together: a channel, and the group in which its posts are discussed. Each says it of the other; where only one does, it holds for
 * nothing.
 */
export type Discussion = { 
/**
 * Of a channel its group, of a group its channel.
 */
chat_id: ChatId, 
/**
 * Of a channel: its last post before it was so. Those after it have comments.
 */
since: Seq, };

/**
 * Any file.
 */
export type DocumentBody = { 
/**
 * The file, every byte as it was.
 */
file: StoredFile, 
/**
 * In pixels, where it is a picture.
 */
width?: number, 
/**
 * In pixels, where it is a picture.
 */
height?: number, 
/**
 * See [`PhotoBody::preview`].
 */
preview?: string, 
/**
 * See [`PhotoBody::sizes`].
 */
sizes?: Array<number>, 
/**
 * The same in all messages of one album.
 */
album?: string, 
/**
 * At most 4096 UTF-16 code units, without U+0000; absent when there is none.
 */
text?: string, 
/**
 * The marks, by offset; an outer one before those inside it. At most 100.
 */
entities?: Array<Entity>, };

/**
 * An empty answer.
 */
export type Done = Record<symbol, never>;

/**
 * See [`OwnItem::Draft`].
 */
export type Draft = { 
/**
 * As in a message.
 */
text: Text, 
/**
 * The message that it answers.
 */
reply_to?: Seq, };

/**
 * See [`Event::Drain`].
 */
export type Drain = { 
/**
 * Wait this long, in milliseconds, before connecting. The server spreads its clients by it.
 */
reconnect_after_ms: number, };

/**
 * Changes the text of one's own message, or the text under its file: the body then is of the same kind and names the same file, and
 * nothing else of it counts.
 */
export type Edit = { 
/**
 * Where.
 */
chat_id: ChatId, 
/**
 * Which.
 */
seq: Seq, 
/**
 * The new body.
 */
body: NewBody, };

/**
 * Changes a message that is still to be sent: what it says, its time, or both. One that was refused is tried again at its new time.
 */
export type EditScheduled = { 
/**
 * Its client id.
 */
client_id: string, 
/**
 * Another body.
 */
body?: NewBody, 
/**
 * Another time.
 */
at?: Timestamp, 
/**
 * Instead of a time: when the other one is online.
 */
when_online?: boolean, };

/**
 * A mark on a stretch of text.
 */
export type Entity = { 
/**
 * Where it begins, in UTF-16 code units from the start of the text. Never inside a surrogate pair.
 */
offset: number, 
/**
 * How long it is, in UTF-16 code units, at least 1.
 */
length: number, } & ({ "type": "bold" } | { "type": "italic" } | { "type": "underline" } | { "type": "strike" } | { "type": "spoiler" } | { "type": "quote" } | { "type": "code" } | { "type": "pre", 
/**
 * The programming language, for highlighting.
 */
language?: string, } | { "type": "link", 
/**
 * `http` or `https`, at most 2048 bytes.
 */
url: string, } | { "type": "mention", 
/**
 * Whose.
 */
user_id: UserId, } | { type: string } & Record<string, unknown>);

/**
 * The history of one database, written `[database, epoch]`. It changes when that database may have lost commits, and then the
 * versions of what it holds may be used a second time.
 */
export type Epoch = [string, string];

/**
 * Why a request failed. Codes are stable; new ones may come, so read [`WireError::action`] for those unknown.
 */
export type ErrorCode = "bad_frame" | "unknown_method" | "bad_request" | "too_large" | "unauthenticated" | "invalid_token" | "invalid_credentials" | "handle_taken" | "bad_handle" | "bad_password" | "bad_title" | "registration_closed" | "bad_text" | "text_too_long" | "bad_entities" | "bad_quote" | "bad_reaction" | "bad_poll" | "bad_vote" | "poll_closed" | "chat_not_found" | "user_not_found" | "message_not_found" | "forbidden" | "no_forwarding" | "client_id_reused" | "too_far_behind" | "unknown_kind" | "refused_by_user" | "chat_full" | "has_left" | "invite_gone" | "slow_mode" | "reached_too_often" | "owner_cannot_leave" | "call_not_found" | "call_forbidden" | "call_engaged" | "call_ended" | "call_elsewhere" | "call_conflict" | "bad_description" | "file_not_found" | "pack_not_found" | "file_not_ready" | "file_refused" | "file_held" | "file_too_large" | "quota_exceeded" | "upload_gone" | "upload_conflict" | "upload_locked" | "checksum_mismatch" | "rate_limited" | "overloaded" | "unavailable" | "internal" | "unknown";

/**
 * An event, `{"event": name, "data": …}` on the wire. A client ignores names that it does not know.
 */
export type Event = { "event": "delta", "data": ChatDelta } | { "event": "me", "data": UserDelta } | { "event": "read", "data": Read } | { "event": "reacted", "data": OwnReaction } | { "event": "voted", "data": ChatVote } | { "event": "typing", "data": Typing } | { "event": "presence", "data": Presence } | { "event": "user", "data": User } | { "event": "call", "data": CallState } | { "event": "call_signal", "data": CallSignaled } | { "event": "drain", "data": Drain };

/**
 * A file in a message.
 */
export type FileAt = { 
/**
 * In which message.
 */
seq: Seq, 
/**
 * Which of its files.
 */
file_id: FileId, };

/**
 * A file, and the upload that brought it: a random UUID, which nobody guesses.
 */
export type FileId = string;

/**
 * What the own user may know of a file of theirs.
 */
export type FileInfo = { 
/**
 * Which.
 */
id: FileId, 
/**
 * What it was uploaded as.
 */
kind: FileKind, 
/**
 * How far it has come.
 */
state: FileState, 
/**
 * Its length in bytes: of what readers are given, once it is ready.
 */
size: number, 
/**
 * Bytes of it that are stored.
 */
received: number, 
/**
 * What it is, once that is known.
 */
mime?: string, 
/**
 * The name that it was uploaded under.
 */
name?: string, 
/**
 * In pixels, upright.
 */
width?: number, 
/**
 * In pixels, upright.
 */
height?: number, 
/**
 * How long it plays, in milliseconds.
 */
duration_ms?: number, 
/**
 * A tiny preview: see [`PhotoBody::preview`].
 */
preview?: string, 
/**
 * How loud it is: see [`VoiceBody::waveform`].
 */
waveform?: string, 
/**
 * The sizes that were made of it: see [`PhotoBody::sizes`].
 */
sizes?: Array<number>, 
/**
 * Why it was refused.
 */
refused?: ErrorCode, };

/**
 * What a file was uploaded as (`kind` of the upload's metadata). It decides how large it may be and what is done with it.
 */
export type FileKind = "photo" | "video" | "round" | "voice" | "audio" | "document" | "sticker" | "poster" | "avatar";

/**
 * Where a file is to be had for a while.
 */
export type FileLink = { 
/**
 * Which.
 */
file_id: FileId, 
/**
 * `original`, or one of its sizes: `320` …
 */
size: string, 
/**
 * A path on this server, with nothing to be added. It is for the asking user alone.
 */
url: string, };

/**
 * A message that shows a file already, where whoever names it may read it: so a file is forwarded.
 */
export type FileSource = { 
/**
 * In which chat.
 */
chat_id: ChatId, 
/**
 * Which message.
 */
seq: Seq, };

/**
 * How far a file has come.
 */
export type FileState = "uploading" | "preparing" | "ready" | "refused" | "held";

/**
 * See [`OwnItem::Folder`](super::OwnItem::Folder). Which chats are in it says [`Folder::holds`].
 */
export type Folder = { 
/**
 * 1 to 128 characters.
 */
name: string, 
/**
 * The emoji that stands for it.
 */
icon?: string, 
/**
 * The lowest stands first.
 */
order: number, 
/**
 * Chats that are in it whatever else holds, at most 200.
 */
chats: Array<ChatId>, 
/**
 * All chats of these kinds are in it too.
 */
kinds?: Array<FolderKind>, 
/**
 * Of those by their kind only the ones in which something is unread.
 */
unread?: boolean, 
/**
 * Of those by their kind only the ones that are not muted.
 */
unmuted?: boolean, 
/**
 * Chats that are never in it, at most 200.
 */
without?: Array<ChatId>, };

/**
 * A kind of chats, as a folder tells them apart.
 */
export type FolderKind = "contacts" | "others" | "groups" | "channels";

/**
 * Sends messages of one chat on into a chat: all of them, one after the other and in one change, or none. A retry with the same client
 * ids and places returns those that exist, also when the originals are gone.
 */
export type Forward = { 
/**
 * Where to.
 */
chat_id: ChatId, 
/**
 * Where they stand. It may be the same chat.
 */
from: ChatId, 
/**
 * 1 to 30, in the order in which they are to stand.
 */
messages: Array<ForwardedItem>, 
/**
 * Does not say where they come from.
 */
hide_origin?: boolean, };

/**
 * Where a forwarded message was first: its author, or the channel whose post it is. Of the first one, however often it was forwarded since.
 * Without any field: whoever forwarded it does not say.
 */
export type Forwarded = { 
/**
 * Who wrote it; absent for a post of a channel.
 */
user_id?: UserId, 
/**
 * How the author was called when it was forwarded, or the channel.
 */
name?: string, 
/**
 * The group or channel in which it stands. Who is not in it can see nothing of it there.
 */
chat_id?: ChatId, 
/**
 * Its place there.
 */
seq?: Seq, 
/**
 * When it was sent there.
 */
sent_at?: Timestamp, };

/**
 * A message to be forwarded.
 */
export type ForwardedItem = { 
/**
 * Made by the client, new for each message, the same for each retry of it.
 */
client_id: string, 
/**
 * Its place where it stands.
 */
seq: Seq, };

/**
 * What was done in a group or channel by those who may, the latest first, for 30 days. For owners and admins.
 */
export type GetAdminLog = { 
/**
 * Where.
 */
chat_id: ChatId, 
/**
 * Only what stands before this one; absent for the first page.
 */
before?: number, };

/**
 * Those who were removed and cannot come back, by user id. For those who may remove.
 */
export type GetBanned = { 
/**
 * Where.
 */
chat_id: ChatId, 
/**
 * Only ids greater than this; absent for the first page.
 */
after?: UserId, };

/**
 * The own call log, the latest first.
 */
export type GetCalls = { 
/**
 * Only those before this one; absent for the first page.
 */
before?: CallId, 
/**
 * How many, 1 to 100.
 */
limit: number, };

/**
 * A chat from scratch.
 */
export type GetChat = { 
/**
 * Which.
 */
chat_id: ChatId, };

/**
 * The own devices.
 */
export type GetDevices = Record<symbol, never>;

/**
 * How far a file of one's own has come.
 */
export type GetFile = { 
/**
 * Which.
 */
file_id: FileId, };

/**
 * Who came through a link, by user id. For those who may add.
 */
export type GetInviteUses = { 
/**
 * Where.
 */
chat_id: ChatId, 
/**
 * Which.
 */
invite_id: InviteId, 
/**
 * Only ids greater than this; absent for the first page.
 */
after?: UserId, };

/**
 * The invite links of a chat. For those who may add.
 */
export type GetInvites = { 
/**
 * Where.
 */
chat_id: ChatId, };

/**
 * Those who ask to be let in, by user id. For those who may add.
 */
export type GetJoinRequests = { 
/**
 * Where.
 */
chat_id: ChatId, 
/**
 * Only ids greater than this; absent for the first page.
 */
after?: UserId, };

/**
 * Where some files of one chat's messages are to be had for a while.
 */
export type GetLinks = { 
/**
 * Where.
 */
chat_id: ChatId, 
/**
 * At most 100.
 */
files: Array<FileAt>, };

/**
 * The members of a chat, by user id. In a channel only for owners and admins.
 */
export type GetMembers = { 
/**
 * Where.
 */
chat_id: ChatId, 
/**
 * Only ids greater than this; absent for the first page.
 */
after?: UserId, };

/**
 * The packs that the asking user has made, also those that are not in their list.
 */
export type GetOwnStickerPacks = Record<symbol, never>;

/**
 * Who has reacted to a message of a direct chat or a group, by user id. Readers of a channel do not learn of each other.
 */
export type GetReactions = { 
/**
 * Where.
 */
chat_id: ChatId, 
/**
 * To which message.
 */
seq: Seq, 
/**
 * Only with this reaction; absent for all.
 */
emoji?: string, 
/**
 * What the last page said; absent for the first.
 */
after?: UserId, };

/**
 * Who has read a message, in a group of at most 100.
 */
export type GetReaders = { 
/**
 * Where.
 */
chat_id: ChatId, 
/**
 * Which message.
 */
seq: Seq, };

/**
 * The relays, to measure the round trip to each.
 */
export type GetRelays = Record<symbol, never>;

/**
 * The own messages of a chat that are still to be sent.
 */
export type GetScheduled = { 
/**
 * Which chat.
 */
chat_id: ChatId, };

/**
 * Some packs of stickers, whoever made them.
 */
export type GetStickerPacks = { 
/**
 * Which, at most 8.
 */
pack_ids: Array<PackId>, };

/**
 * A page of a thread around a place, the message with which it begins among them: as [`History`](crate::command::History), with holes.
 */
export type GetThread = { 
/**
 * Where.
 */
chat_id: ChatId, 
/**
 * The message with which it begins.
 */
root: Seq, 
/**
 * The place. A number beyond the end means the end.
 */
seq: Seq, 
/**
 * How many older ones, 0 to 200.
 */
before: number, 
/**
 * How many from the place on, 0 to 200; together at most 200.
 */
after: number, };

/**
 * Who some users are. Unknown ids are left out.
 */
export type GetUsers = { 
/**
 * At most 200.
 */
user_ids: Array<UserId>, };

/**
 * Who has chosen an answer of a public poll, by user id.
 */
export type GetVoters = { 
/**
 * Where.
 */
chat_id: ChatId, 
/**
 * Which message.
 */
seq: Seq, 
/**
 * The place of the answer, from 0.
 */
option: number, 
/**
 * What the last page said; absent for the first.
 */
after?: UserId, };

/**
 * The first request of a connection: who, and from where to go on.
 */
export type Hello = { 
/**
 * The device's token.
 */
token: string, 
/**
 * The cursors; absent on a device that knows nothing yet.
 */
resume?: Resume, };

/**
 * See [`super::OwnItem::Hidden`].
 */
export type Hidden = { 
/**
 * The messages as stretches, each with its first and its last one, by seq. Between two of them there is at least one other message.
 */
seqs: Array<[Seq, Seq]>, };

/**
 * Hides messages from oneself, whoever wrote them, on all own devices: they stand in the item `hidden`. Others see them as before.
 */
export type HideMessages = { 
/**
 * Where.
 */
chat_id: ChatId, 
/**
 * 1 to 100.
 */
seqs: Array<Seq>, };

/**
 * A page of messages around a place: up to `before` messages with seq < `seq` and up to `after` with seq ≥ `seq`.
 */
export type History = { 
/**
 * Where.
 */
chat_id: ChatId, 
/**
 * The place. A number beyond the end means the end.
 */
seq: Seq, 
/**
 * How many older ones, 0 to 200.
 */
before: number, 
/**
 * How many from the place on, 0 to 200; together at most 200.
 */
after: number, };

/**
 * A relay with credentials for one person in one call.
 */
export type IceServer = { 
/**
 * The relay's name.
 */
name: string, 
/**
 * Where it stands.
 */
region: string, 
/**
 * `stun:`, `turn:` and `turns:` URLs (RFC 7064, RFC 7065), the fastest transport first.
 */
urls: Array<string>, 
/**
 * For `turn:` and `turns:`.
 */
username: string, 
/**
 * For `turn:` and `turns:`.
 */
credential: string, };

/**
 * A device in a call.
 */
export type InCall = { 
/**
 * How far the media is.
 */
phase: MediaPhase, 
/**
 * The device on the other side.
 */
peer: Party, 
/**
 * The exchange of offer and answer that is due or done. When it grows, the caller's side makes a new offer.
 */
generation: number, 
/**
 * What the offer of this generation renews.
 */
renew: Renew, 
/**
 * This side.
 */
mine: SideState, 
/**
 * The other side.
 */
theirs: SideState, 
/**
 * Who asks for video and waits for consent.
 */
video_asked_by?: UserId, };

/**
 * An invite link, as those see it who may add people.
 */
export type Invite = { 
/**
 * Which.
 */
id: InviteId, 
/**
 * What opens the chat: the end of the address. Whoever has it may come in.
 */
token: string, 
/**
 * What those call it who look after it.
 */
title?: string, 
/**
 * Who made it. It is good as long as they may add people.
 */
made_by: UserId, 
/**
 * When.
 */
made_at: Timestamp, 
/**
 * Until when it is good; absent: for ever.
 */
expires_at?: Timestamp, 
/**
 * How often it can be used; absent: as often as one likes.
 */
max_uses?: number, 
/**
 * How many have come through it.
 */
uses: number, 
/**
 * Whoever comes through it asks first, and is let in by those who may add people.
 */
approval?: boolean, 
/**
 * It was taken back, for good.
 */
revoked?: boolean, 
/**
 * Somebody can come through it now.
 */
open: boolean, };

/**
 * An invite link: a random UUID, made by the client. It names the link to those who look after it, and opens nothing.
 */
export type InviteId = string;

/**
 * What a link shows to whoever has it.
 */
export type InvitePreview = { 
/**
 * Where it leads.
 */
chat_id: ChatId, 
/**
 * `group` or `channel`.
 */
kind: ChatKind, 
/**
 * The chat's title.
 */
title: string, 
/**
 * What it is about.
 */
description?: string, 
/**
 * Its photo, as `/files/avatar/<id>/<80 or 320>`.
 */
photo?: FileId, 
/**
 * How many are in it.
 */
member_count: number, 
/**
 * Whoever comes through it asks first.
 */
approval?: boolean, 
/**
 * The asking user is in it.
 */
inside?: boolean, 
/**
 * The asking user has asked to be let in, and was not answered yet.
 */
asked?: boolean, };

/**
 * Somebody who came through a link.
 */
export type InviteUse = { 
/**
 * Who.
 */
user_id: UserId, 
/**
 * When, the last time.
 */
at: Timestamp, };

/**
 * The answer to [`GetInviteUses`].
 */
export type InviteUses = { 
/**
 * At most 200.
 */
uses: Array<InviteUse>, 
/**
 * Whether there are more.
 */
more: boolean, };

/**
 * The answer to [`GetInvites`].
 */
export type Invites = { 
/**
 * The one that was made last stands first. At most 200, also those that were taken back.
 */
invites: Array<Invite>, 
/**
 * How many ask to be let in, 200 at most.
 */
requests: number, };

/**
 * One of a person's own things, in its final state.
 */
export type Item = { "kind": "chat" } & MyChat | { "kind": "missed_calls" } & MissedCalls | Kept;

/**
 * The answer to [`SetItems`].
 */
export type ItemsSet = { 
/**
 * The per-user version afterwards. What changed arrives in `me` too: do not move the cursor by this.
 */
version: Version, };

/**
 * Joins a public group or channel.
 */
export type Join = { 
/**
 * Its handle.
 */
handle: string, };

/**
 * Comes in through an invite link, or asks to be let in.
 */
export type JoinByInvite = { 
/**
 * The token, or an address that ends with it.
 */
token: string, };

/**
 * Joins the group in which the posts of a channel are discussed. For those who are in the channel.
 */
export type JoinDiscussion = { 
/**
 * The channel.
 */
chat_id: ChatId, };

/**
 * Somebody who asks to be let in.
 */
export type JoinRequest = { 
/**
 * Who.
 */
user_id: UserId, 
/**
 * Since when.
 */
at: Timestamp, 
/**
 * Through which link.
 */
invite_id: InviteId, };

/**
 * The answer to [`GetJoinRequests`].
 */
export type JoinRequests = { 
/**
 * At most 200.
 */
requests: Array<JoinRequest>, 
/**
 * Whether there are more.
 */
more: boolean, };

/**
 * The answer to [`JoinByInvite`]: one of the two.
 */
export type JoinedByInvite = { 
/**
 * The chat from scratch, for whoever is in it now.
 */
chat?: ChatSnapshot, 
/**
 * The user has asked, and hears of the answer: as a chat of the own list, or as the item `join_request`.
 */
asked?: boolean, };

/**
 * What a person has set, with its version.
 */
export type Kept = { 
/**
 * The per-user version at which it was set, or taken back.
 */
version: Version, } & ({ "kind": "mute", 
/**
 * Which chat.
 */
chat_id: ChatId, 
/**
 * What is kept; absent: nothing any more.
 */
value?: Mute, } | { "kind": "pin", 
/**
 * Which chat.
 */
chat_id: ChatId, 
/**
 * What is kept; absent: nothing any more.
 */
value?: Pin, } | { "kind": "draft", 
/**
 * In which chat.
 */
chat_id: ChatId, 
/**
 * What is kept; absent: nothing any more.
 */
value?: Draft, } | { "kind": "folder", 
/**
 * Made by the client.
 */
id: string, 
/**
 * What is kept; absent: nothing any more.
 */
value?: Folder, } | { "kind": "archive", 
/**
 * Which chat.
 */
chat_id: ChatId, 
/**
 * What is kept; absent: nothing any more.
 */
value?: Archive, } | { "kind": "scheduled", 
/**
 * In which chat.
 */
chat_id: ChatId, 
/**
 * What is kept; absent: nothing any more.
 */
value?: Scheduled, } | { "kind": "contact", 
/**
 * Whom.
 */
user_id: UserId, 
/**
 * What is kept; absent: nothing any more.
 */
value?: Contact, } | { "kind": "block", 
/**
 * Whom.
 */
user_id: UserId, 
/**
 * What is kept; absent: nothing any more.
 */
value?: Block, } | { "kind": "setting", 
/**
 * Which.
 */
name: string, 
/**
 * What is kept; absent: nothing any more.
 */
value?: string, } | { "kind": "sticker_pack", 
/**
 * Which pack.
 */
pack_id: PackId, 
/**
 * What is kept; absent: nothing any more.
 */
value?: AddedPack, } | { "kind": "favorite_sticker", 
/**
 * Which.
 */
file_id: FileId, 
/**
 * What is kept; absent: nothing any more.
 */
value?: KeptSticker, } | { "kind": "recent_sticker", 
/**
 * Which.
 */
file_id: FileId, 
/**
 * What is kept; absent: nothing any more.
 */
value?: KeptSticker, } | { "kind": "join_request", 
/**
 * Which chat.
 */
chat_id: ChatId, 
/**
 * What is kept; absent: nothing any more.
 */
value?: AskedToJoin, } | { "kind": "removed", 
/**
 * Which chat.
 */
chat_id: ChatId, 
/**
 * What is kept; absent: nothing any more.
 */
value?: ToldRemoval, } | { "kind": "hidden", 
/**
 * Which chat.
 */
chat_id: ChatId, 
/**
 * What is kept; absent: nothing any more.
 */
value?: Hidden, } | { kind: string } & Record<string, unknown>);

/**
 * See [`OwnItem::FavoriteSticker`] and [`OwnItem::RecentSticker`]: the latest stands first.
 */
export type KeptSticker = { 
/**
 * The pack that it is of.
 */
pack_id: PackId, 
/**
 * The emoji that it stands for.
 */
emoji?: string, 
/**
 * It moves.
 */
animated?: boolean, 
/**
 * When it was kept or sent.
 */
at: Timestamp, };

/**
 * Leaves a group or channel. Whoever is out already, also by being removed, stays out: strangers do not bring back who left.
 */
export type Leave = { 
/**
 * Which.
 */
chat_id: ChatId, };

/**
 * What the server has found behind a link, when its sender asked. Words are the page's own: one line each, and nothing that turns the text
 * around them.
 */
export type LinkPreview = { 
/**
 * The link as it was asked for, at most 2048 bytes.
 */
url: string, 
/**
 * Whose page it is: as the site calls itself, else its host. At most 80 characters.
 */
site: string, 
/**
 * What the page is called, at most 200 characters.
 */
title?: string, 
/**
 * What it is about, at most 300 characters.
 */
description?: string, 
/**
 * Its picture, made anew and kept by the server: nobody who reads asks the site.
 */
image?: PreviewImage, };

/**
 * The answer to [`PreviewLink`]. A message names it by its link (see [`Send::preview`](crate::command::Send)) within a day.
 */
export type LinkPreviewed = { 
/**
 * Absent when there is nothing to show.
 */
preview?: LinkPreview, };

/**
 * The answer to [`GetLinks`].
 */
export type Links = { 
/**
 * For each file one for the original and one for each size. What the asking user may not read is left out.
 */
links: Array<FileLink>, 
/**
 * Until when they open.
 */
expires_at: Timestamp, };

/**
 * A place on the earth (WGS 84), to a millionth of a degree.
 */
export type LocationBody = { 
/**
 * In degrees, −90 to 90.
 */
latitude: number, 
/**
 * In degrees, −180 to 180.
 */
longitude: number, 
/**
 * How far it may be off, in metres.
 */
accuracy_m?: number, };

/**
 * Marks everything up to a message as read, on all own devices. Never goes back.
 */
export type MarkRead = { 
/**
 * Where.
 */
chat_id: ChatId, 
/**
 * Up to and with this message.
 */
seq: Seq, };

/**
 * How far the media of an answered call is.
 */
export type MediaPhase = "connecting" | "active" | "reconnecting";

/**
 * Somebody in a chat, or somebody who was.
 */
export type Member = { 
/**
 * Who.
 */
user_id: UserId, 
/**
 * The chat's version at which this member last came, went or changed; 0 in channels, whose readers have none.
 */
version: Version, 
/**
 * The role; absent when the user is no longer in the chat.
 */
role?: Role, 
/**
 * How far this member has read; absent in channels, where nobody sees it.
 */
read_seq?: Seq, 
/**
 * Of an admin: what they may beside what everybody may.
 */
rights?: Array<Right>, 
/**
 * Of a member: what they may not, although everybody may.
 */
denied?: Array<Right>, 
/**
 * Until when; absent for good. After that nothing is denied any more, and nobody is told so.
 */
denied_until?: Timestamp, 
/**
 * Of somebody who was removed, as `get_banned` tells it to those who may remove.
 */
removal?: Removal, };

/**
 * The answer to [`GetMembers`].
 */
export type Members = { 
/**
 * At most 200.
 */
members: Array<Member>, 
/**
 * Whether there are more.
 */
more: boolean, };

/**
 * A message in its final state. Its identity is (chat, seq).
 */
export type Message = { 
/**
 * Its place in the chat.
 */
seq: Seq, 
/**
 * The chat's version at this message's last change.
 */
version: Version, 
/**
 * Who sent it.
 */
sender: UserId, 
/**
 * The id that the sender's device gave it. (chat, sender, client id) is unique for good.
 */
client_id: string, 
/**
 * When the server stored it.
 */
sent_at: Timestamp, 
/**
 * What it says.
 */
body: Body, 
/**
 * The message that it answers, in the same chat.
 */
reply_to?: Seq, 
/**
 * When it was last edited.
 */
edited_at?: Timestamp, 
/**
 * How often each reaction stands on it, most frequent first.
 */
reactions?: Array<ReactionCount>, 
/**
 * In a channel: how many people's read marks have passed it, as last told; 0 elsewhere.
 */
views?: number, 
/**
 * It was forwarded: from where, as far as that is told. Such a message is not edited.
 */
forwarded?: Forwarded, 
/**
 * Which words of the message that it answers it is about, as they stood there when it was sent.
 */
quote?: Quote, 
/**
 * In a group: who wrote the message that it answers, if that was somebody else. It calls them as a mention does.
 */
answers?: UserId, 
/**
 * When it is deleted for all by itself.
 */
deletes_at?: Timestamp, 
/**
 * A post of a channel that is signed with its sender's name.
 */
signed?: boolean, 
/**
 * It was sent without a sound: clients do not notify of it.
 */
silent?: boolean, 
/**
 * What stands behind a link in it, if its sender had that looked up and shown.
 */
preview?: LinkPreview, 
/**
 * Of a post in a channel: the comments on it.
 */
comments?: Comments, 
/**
 * In a group that belongs to a channel: which of the channel's posts it is, with which the thread of its comments begins.
 */
post?: Seq, 
/**
 * There: the message with which the thread begins in which it stands.
 */
thread?: Seq, };

/**
 * Calls missed and not looked at yet.
 */
export type MissedCalls = { 
/**
 * The per-user version at which the counter last changed.
 */
version: Version, 
/**
 * How many.
 */
count: number, };

/**
 * See [`OwnItem::Mute`].
 */
export type Mute = { 
/**
 * Until when; absent: for good.
 */
until?: Timestamp, 
/**
 * Mentions and answers to one's own messages make a sound all the same.
 */
mentions?: boolean, };

/**
 * What one user keeps of a chat, alike on all of the user's devices. It moves with the per-user version.
 */
export type MyChat = { 
/**
 * Which chat.
 */
chat_id: ChatId, 
/**
 * The own role; absent when no longer a member: forget the chat.
 */
role?: Role, 
/**
 * How far this user has read. Unread = the chat's last seq − this.
 */
read_seq: Seq, 
/**
 * A direct chat that a stranger has begun: it makes no sound, and nothing of the user is seen in it, until the user accepts it
 * (`answer_request`), opens it (`open_direct`), writes or reacts in it.
 */
request?: boolean, 
/**
 * The per-user version at which this last changed.
 */
version: Version, };

/**
 * How a device is connected.
 */
export type NetworkClass = "wired" | "wifi" | "mobile" | "unknown";

/**
 * Music to be sent.
 */
export type NewAudio = { 
/**
 * How long it plays, in milliseconds, at most a day. The server counts by itself where it can.
 */
duration_ms?: number, 
/**
 * What it is called, 1 to 128 characters.
 */
title?: string, 
/**
 * Who plays or sings, 1 to 128 characters.
 */
performer?: string, 
/**
 * In `send_album` only: see [`NewPhoto::album`].
 */
album?: string, 
/**
 * One's own, or, with `from`, the one of that message.
 */
file_id: FileId, 
/**
 * The message that shows it already. The new message then has a file of one's own, of the same content, under another id: it lives
 * on when the other message is deleted.
 */
from?: FileSource, 
/**
 * At most 4096 UTF-16 code units, without U+0000; absent when there is none.
 */
text?: string, 
/**
 * The marks, by offset; an outer one before those inside it. At most 100.
 */
entities?: Array<Entity>, };

/**
 * What a client may put into a new or edited message.
 */
export type NewBody = { "kind": "text" } & Text | { "kind": "photo" } & NewPhoto | { "kind": "video" } & NewVideo | { "kind": "round" } & NewRound | { "kind": "voice" } & NewVoice | { "kind": "audio" } & NewAudio | { "kind": "document" } & NewDocument | { "kind": "sticker" } & NewSticker | { "kind": "location" } & LocationBody | { "kind": "contact" } & ContactBody | { "kind": "poll" } & NewPoll;

/**
 * Any file to be sent.
 */
export type NewDocument = { 
/**
 * In `send_album` only: see [`NewPhoto::album`].
 */
album?: string, 
/**
 * One's own, or, with `from`, the one of that message.
 */
file_id: FileId, 
/**
 * The message that shows it already. The new message then has a file of one's own, of the same content, under another id: it lives
 * on when the other message is deleted.
 */
from?: FileSource, 
/**
 * At most 4096 UTF-16 code units, without U+0000; absent when there is none.
 */
text?: string, 
/**
 * The marks, by offset; an outer one before those inside it. At most 100.
 */
entities?: Array<Entity>, };

/**
 * A sticker as the owner of a pack puts it there.
 */
export type NewPackSticker = { 
/**
 * A file of one's own of the kind `sticker`.
 */
file_id: FileId, 
/**
 * The emoji that it stands for.
 */
emoji?: string, };

/**
 * A picture to be sent.
 */
export type NewPhoto = { 
/**
 * Covered until it is touched.
 */
spoiler?: boolean, 
/**
 * In `send_album` only, the same in all its items; the first client id when absent.
 */
album?: string, 
/**
 * One's own, or, with `from`, the one of that message.
 */
file_id: FileId, 
/**
 * The message that shows it already. The new message then has a file of one's own, of the same content, under another id: it lives
 * on when the other message is deleted.
 */
from?: FileSource, 
/**
 * At most 4096 UTF-16 code units, without U+0000; absent when there is none.
 */
text?: string, 
/**
 * The marks, by offset; an outer one before those inside it. At most 100.
 */
entities?: Array<Entity>, };

/**
 * A poll to be sent.
 */
export type NewPoll = { 
/**
 * 1 to 300 UTF-16 code units.
 */
question: string, 
/**
 * 2 to 10, each of 1 to 100 UTF-16 code units, none twice.
 */
options: Array<string>, 
/**
 * Everybody in the chat can see who has chosen what. Not in channels.
 */
public?: boolean, 
/**
 * One may choose several. Not in a quiz.
 */
multiple?: boolean, 
/**
 * In the future; absent: until its author closes it.
 */
closes_at?: Timestamp, 
/**
 * The place of the right answer, from 0.
 */
right?: number, 
/**
 * Why it is right.
 */
explanation?: string, };

/**
 * A film in a circle to be sent.
 */
export type NewRound = { 
/**
 * How long it plays, in milliseconds, at most a day.
 */
duration_ms: number, 
/**
 * A thumbhash of at most 40 bytes, in base64 without padding.
 */
preview?: string, 
/**
 * A file of the kind `poster`; where the film is forwarded, its own.
 */
poster?: FileId, 
/**
 * One's own, or, with `from`, the one of that message.
 */
file_id: FileId, 
/**
 * The message that shows it already. The new message then has a file of one's own, of the same content, under another id: it lives
 * on when the other message is deleted.
 */
from?: FileSource, };

/**
 * A sticker to be sent.
 */
export type NewSticker = { 
/**
 * The emoji that it stands for. That of the pack counts more.
 */
emoji?: string, 
/**
 * The pack of which it is: its file then need not be one's own. Not together with `from`, which brings the pack of that message.
 */
pack_id?: PackId, 
/**
 * One's own, or, with `from`, the one of that message.
 */
file_id: FileId, 
/**
 * The message that shows it already. The new message then has a file of one's own, of the same content, under another id: it lives
 * on when the other message is deleted.
 */
from?: FileSource, };

/**
 * A film to be sent. What the server finds in the file counts more than what is said here.
 */
export type NewVideo = { 
/**
 * In pixels, 1 to 65,535.
 */
width: number, 
/**
 * In pixels, 1 to 65,535.
 */
height: number, 
/**
 * How long it plays, in milliseconds, at most a day.
 */
duration_ms: number, 
/**
 * A thumbhash of at most 40 bytes, in base64 without padding.
 */
preview?: string, 
/**
 * A file of the kind `poster`; where the film is forwarded, its own.
 */
poster?: FileId, 
/**
 * Covered until it is touched.
 */
spoiler?: boolean, 
/**
 * In `send_album` only: see [`NewPhoto::album`].
 */
album?: string, 
/**
 * One's own, or, with `from`, the one of that message.
 */
file_id: FileId, 
/**
 * The message that shows it already. The new message then has a file of one's own, of the same content, under another id: it lives
 * on when the other message is deleted.
 */
from?: FileSource, 
/**
 * At most 4096 UTF-16 code units, without U+0000; absent when there is none.
 */
text?: string, 
/**
 * The marks, by offset; an outer one before those inside it. At most 100.
 */
entities?: Array<Entity>, };

/**
 * Speech to be sent.
 */
export type NewVoice = { 
/**
 * How long it plays, in milliseconds, at most a day. The server counts by itself.
 */
duration_ms?: number, 
/**
 * How loud it is: see [`VoiceBody::waveform`]. The server computes it where it is absent.
 */
waveform?: string, 
/**
 * One's own, or, with `from`, the one of that message.
 */
file_id: FileId, 
/**
 * The message that shows it already. The new message then has a file of one's own, of the same content, under another id: it lives
 * on when the other message is deleted.
 */
from?: FileSource, 
/**
 * At most 4096 UTF-16 code units, without U+0000; absent when there is none.
 */
text?: string, 
/**
 * The marks, by offset; an outer one before those inside it. At most 100.
 */
entities?: Array<Entity>, };

/**
 * A session description that asks.
 */
export type Offer = { 
/**
 * SDP, at most 16 KB; the server writes it anew.
 */
sdp: string, 
/**
 * SHA-256 over the caller's fingerprint and nonce, in lower-case hexadecimal: see the short authentication string.
 */
commitment?: string, };

/**
 * Opens the direct chat with a user, making it if there is none. Somebody new must have been found by handle or be in a
 * chat of the asking user.
 */
export type OpenDirect = { 
/**
 * With whom. One's own id opens the chat with oneself.
 */
user_id: UserId, };

/**
 * What a person can set (`set_items`): a kind, a key, and a value; without a value it is taken back.
 */
export type OwnItem = { "kind": "mute", 
/**
 * Which chat.
 */
chat_id: ChatId, 
/**
 * What is kept; absent: nothing any more.
 */
value?: Mute, } | { "kind": "pin", 
/**
 * Which chat.
 */
chat_id: ChatId, 
/**
 * What is kept; absent: nothing any more.
 */
value?: Pin, } | { "kind": "draft", 
/**
 * In which chat.
 */
chat_id: ChatId, 
/**
 * What is kept; absent: nothing any more.
 */
value?: Draft, } | { "kind": "folder", 
/**
 * Made by the client.
 */
id: string, 
/**
 * What is kept; absent: nothing any more.
 */
value?: Folder, } | { "kind": "archive", 
/**
 * Which chat.
 */
chat_id: ChatId, 
/**
 * What is kept; absent: nothing any more.
 */
value?: Archive, } | { "kind": "scheduled", 
/**
 * In which chat.
 */
chat_id: ChatId, 
/**
 * What is kept; absent: nothing any more.
 */
value?: Scheduled, } | { "kind": "contact", 
/**
 * Whom.
 */
user_id: UserId, 
/**
 * What is kept; absent: nothing any more.
 */
value?: Contact, } | { "kind": "block", 
/**
 * Whom.
 */
user_id: UserId, 
/**
 * What is kept; absent: nothing any more.
 */
value?: Block, } | { "kind": "setting", 
/**
 * Which.
 */
name: string, 
/**
 * What is kept; absent: nothing any more.
 */
value?: string, } | { "kind": "sticker_pack", 
/**
 * Which pack.
 */
pack_id: PackId, 
/**
 * What is kept; absent: nothing any more.
 */
value?: AddedPack, } | { "kind": "favorite_sticker", 
/**
 * Which.
 */
file_id: FileId, 
/**
 * What is kept; absent: nothing any more.
 */
value?: KeptSticker, } | { "kind": "recent_sticker", 
/**
 * Which.
 */
file_id: FileId, 
/**
 * What is kept; absent: nothing any more.
 */
value?: KeptSticker, } | { "kind": "join_request", 
/**
 * Which chat.
 */
chat_id: ChatId, 
/**
 * What is kept; absent: nothing any more.
 */
value?: AskedToJoin, } | { "kind": "removed", 
/**
 * Which chat.
 */
chat_id: ChatId, 
/**
 * What is kept; absent: nothing any more.
 */
value?: ToldRemoval, } | { "kind": "hidden", 
/**
 * Which chat.
 */
chat_id: ChatId, 
/**
 * What is kept; absent: nothing any more.
 */
value?: Hidden, } | { kind: string } & Record<string, unknown>;

/**
 * A pack that the asking user has made, in one line.
 */
export type OwnPack = { 
/**
 * Which.
 */
id: PackId, 
/**
 * What it is called.
 */
title: string, 
/**
 * How many stickers it has.
 */
count: number, };

/**
 * See [`Event::Reacted`].
 */
export type OwnReaction = { 
/**
 * Where.
 */
chat_id: ChatId, 
/**
 * On what, and which.
 */
reacted: Reacted, };

/**
 * The answer to [`GetOwnStickerPacks`].
 */
export type OwnStickerPacks = { 
/**
 * The one that was changed last stands first. At most 50.
 */
packs: Array<OwnPack>, };

/**
 * What one has chosen oneself. Told to nobody else.
 */
export type OwnVote = { 
/**
 * In which message.
 */
seq: Seq, 
/**
 * Counts one's changes of it: the greatest holds, in whatever order they come.
 */
turn: number, 
/**
 * The places of what was chosen, from 0; none when it was taken back.
 */
options: Array<number>, 
/**
 * The place of the right answer, from 0.
 */
right?: number, 
/**
 * Why it is right.
 */
explanation?: string, };

/**
 * A pack: a random UUID, made by the client. Who knows it can read the pack.
 */
export type PackId = string;

/**
 * A sticker of a pack. Its picture is at `/files/sticker/<file_id>`, for everybody who knows the id.
 */
export type PackSticker = { 
/**
 * Its file, which messages that show it name too.
 */
file_id: FileId, 
/**
 * The emoji that it stands for.
 */
emoji?: string, 
/**
 * In pixels.
 */
width: number, 
/**
 * In pixels.
 */
height: number, 
/**
 * It moves.
 */
animated?: boolean, 
/**
 * What is shown until it has come: a thumbhash of at most 40 bytes, in base64 without padding.
 */
preview?: string, };

/**
 * The answer to [`History`].
 */
export type Page = { 
/**
 * By seq, without holes.
 */
messages: Array<Message>, 
/**
 * The asking user's reactions to them.
 */
reacted?: Array<Reacted>, 
/**
 * The asking user's votes in them.
 */
voted?: Array<OwnVote>, 
/**
 * The chat's version that they are at.
 */
version: Version, 
/**
 * The seq of the chat's last message.
 */
last_seq: Seq, };

/**
 * One device of one person. The server fills it in; it is never taken from a client's word.
 */
export type Party = { 
/**
 * Whose.
 */
user_id: UserId, 
/**
 * Which.
 */
device_id: DeviceId, };

/**
 * How media reaches the other side.
 */
export type PathKind = "direct" | "relay_udp" | "relay_tcp" | "relay_tls" | "unknown";

/**
 * A picture.
 */
export type PhotoBody = { 
/**
 * As large as it is kept.
 */
file: StoredFile, 
/**
 * In pixels.
 */
width: number, 
/**
 * In pixels.
 */
height: number, 
/**
 * What is shown until the picture has come: a thumbhash of at most 40 bytes, in base64 without padding.
 */
preview?: string, 
/**
 * The smaller sizes in which there is a JPEG of it, by the longer side: of 320, 800, 1280 and 2560.
 */
sizes?: Array<number>, 
/**
 * Covered until it is touched.
 */
spoiler?: boolean, 
/**
 * The same in all messages of one album, which stand one after the other.
 */
album?: string, 
/**
 * At most 4096 UTF-16 code units, without U+0000; absent when there is none.
 */
text?: string, 
/**
 * The marks, by offset; an outer one before those inside it. At most 100.
 */
entities?: Array<Entity>, };

/**
 * See [`OwnItem::Pin`].
 */
export type Pin = { 
/**
 * The lowest stands first.
 */
order: number, };

/**
 * Pins a message: it is shown above the others to all. In a direct chat for both, else for those who may `pin`.
 */
export type PinMessage = { 
/**
 * Where.
 */
chat_id: ChatId, 
/**
 * Which. One that is pinned already stays where it is.
 */
seq: Seq, };

/**
 * Does nothing. For clients that cannot send WebSocket pings.
 */
export type Ping = Record<symbol, never>;

/**
 * A question to all in the chat, as its message shows it. It counts the answers of everybody; one's own come apart, as [`OwnVote`].
 */
export type Poll = { 
/**
 * What is asked.
 */
question: string, 
/**
 * What can be answered, 2 to 10.
 */
options: Array<PollOption>, 
/**
 * Everybody in the chat can see who has chosen what. Otherwise nobody learns it.
 */
public?: boolean, 
/**
 * One may choose several.
 */
multiple?: boolean, 
/**
 * One of them is right. An answer stands: it is neither changed nor taken back.
 */
quiz?: boolean, 
/**
 * Until when one can vote.
 */
closes_at?: Timestamp, 
/**
 * Nobody can vote any more.
 */
closed?: boolean, 
/**
 * How many people have voted.
 */
voters?: number, 
/**
 * The place of the right answer, from 0.
 */
right?: number, 
/**
 * Why it is right.
 */
explanation?: string, };

/**
 * An answer that a poll offers.
 */
export type PollOption = { 
/**
 * What it says.
 */
text: string, 
/**
 * How many have chosen it.
 */
votes?: number, };

/**
 * Whether somebody is connected.
 */
export type Presence = { 
/**
 * Who.
 */
user_id: UserId, 
/**
 * Connected with at least one device.
 */
online: boolean, 
/**
 * When last connected; absent while online or when never.
 */
last_seen_at?: Timestamp, };

/**
 * The answer to [`WatchPresence`].
 */
export type Presences = { 
/**
 * For each watched user. Who is online on another node may follow as an event.
 */
presences: Array<Presence>, };

/**
 * The picture of a [`LinkPreview`].
 */
export type PreviewImage = { 
/**
 * As large as it is kept.
 */
file: StoredFile, 
/**
 * In pixels.
 */
width: number, 
/**
 * In pixels.
 */
height: number, 
/**
 * What is shown until the picture has come: a thumbhash of at most 40 bytes, in base64 without padding.
 */
preview?: string, 
/**
 * The smaller sizes in which there is a JPEG of it, by the longer side.
 */
sizes?: Array<number>, };

/**
 * What an invite link leads to, for whoever has it.
 */
export type PreviewInvite = { 
/**
 * The token, or an address that ends with it.
 */
token: string, };

/**
 * Has the server look what stands behind a link that is about to be sent. It asks the site in its own name, and tells it nothing of who
 * asks. Refused with `forbidden` where the operator does not allow it.
 */
export type PreviewLink = { 
/**
 * `http` or `https`, at most 2048 bytes.
 */
url: string, };

/**
 * What one side measured since its last report, every 5 s. Holds no address.
 */
export type QualityReport = { 
/**
 * Round trip of the media path, in milliseconds, at most 60 000.
 */
round_trip_ms: number, 
/**
 * Jitter of what arrives, in milliseconds, at most 60 000.
 */
jitter_ms: number, 
/**
 * Lost of 1000 packets on the way here, before repair.
 */
lost_per_mille: number, 
/**
 * Not played of 1000 packets: lost or late, and not repaired by FEC or RED.
 */
concealed_per_mille: number, 
/**
 * Lost of 1000 packets on the way to the other side, as it says.
 */
lost_there_per_mille: number, 
/**
 * Bits a second that arrive, at most 100 000 000.
 */
bit_rate_in: number, 
/**
 * Bits a second that leave, at most 100 000 000.
 */
bit_rate_out: number, 
/**
 * The length of an audio frame, in milliseconds, 10 to 120.
 */
frame_ms: number, 
/**
 * How media reaches the other side.
 */
path: PathKind, 
/**
 * How the device is connected.
 */
network: NetworkClass, 
/**
 * The own end of the path.
 */
local: CandidateType, 
/**
 * The other end of the path.
 */
remote: CandidateType, 
/**
 * How audio that arrives is coded.
 */
codec: AudioCodec, 
/**
 * The name of the relay on this side of the path, if there is one.
 */
relay?: string, };

/**
 * Words of a message that an answer is about.
 */
export type Quote = { 
/**
 * They themselves, without marks: 1 to 512 UTF-16 code units.
 */
text: string, 
/**
 * Where they begin in its text, in UTF-16 code units.
 */
offset: number, };

/**
 * How the person found a call that has ended.
 */
export type RateCall = { 
/**
 * Which.
 */
call_id: CallId, 
/**
 * 1 (bad) to 5 (excellent).
 */
stars: number, 
/**
 * What was wrong.
 */
issues?: Array<CallIssue>, };

/**
 * Sets or takes back one's reaction to a message.
 */
export type React = { 
/**
 * Where.
 */
chat_id: ChatId, 
/**
 * Which message.
 */
seq: Seq, 
/**
 * One emoji; absent to take it back.
 */
emoji?: string, };

/**
 * One user's reaction to one message. Each user has at most one on a message.
 */
export type Reacted = { 
/**
 * On which message.
 */
seq: Seq, 
/**
 * The chat's version at its last change.
 */
version: Version, 
/**
 * Whose.
 */
user_id: UserId, 
/**
 * Which; absent when it was taken back.
 */
emoji?: string, };

/**
 * How often one reaction stands on a message.
 */
export type ReactionCount = { 
/**
 * The reaction.
 */
emoji: string, 
/**
 * At least 1.
 */
count: number, };

/**
 * Somebody who has reacted.
 */
export type Reactor = { 
/**
 * Who.
 */
user_id: UserId, 
/**
 * How.
 */
emoji: string, };

/**
 * The answer to [`GetReactions`].
 */
export type Reactors = { 
/**
 * At most 200. There may be none although more follow.
 */
reactions: Array<Reactor>, 
/**
 * Ask again with it; absent at the end.
 */
after?: UserId, };

/**
 * See [`Event::Read`].
 */
export type Read = { 
/**
 * Where.
 */
chat_id: ChatId, 
/**
 * Who.
 */
user_id: UserId, 
/**
 * Up to and with this message.
 */
seq: Seq, };

/**
 * The answer to [`GetReaders`].
 */
export type Readers = { 
/**
 * By user id, without whoever wrote it.
 */
user_ids: Array<UserId>, };

/**
 * `POST /api/v1/register`: makes an account and signs its first device in.
 */
export type Register = { 
/**
 * The wished handle; upper case is folded to lower.
 */
handle: string, 
/**
 * 8 to 1024 bytes.
 */
password: string, 
/**
 * The name that people see; the handle when absent.
 */
name?: string, 
/**
 * What the device calls itself.
 */
device?: string, };

/**
 * A relay that clients can measure.
 */
export type RelayInfo = { 
/**
 * Its name, by which it is measured and reported.
 */
name: string, 
/**
 * Where it stands, in the operator's words.
 */
region: string, 
/**
 * `stun:` URLs (RFC 7064).
 */
stun: Array<string>, };

/**
 * How long a relay took to answer.
 */
export type RelayRoundTrip = { 
/**
 * Its name.
 */
relay: string, 
/**
 * In milliseconds.
 */
ms: number, };

/**
 * The answer to [`GetRelays`].
 */
export type Relays = { 
/**
 * At most 64.
 */
relays: Array<RelayInfo>, };

/**
 * How somebody was removed.
 */
export type Removal = { 
/**
 * By whom.
 */
by: UserId, 
/**
 * When.
 */
at: Timestamp, 
/**
 * Why, in the words of whoever did it.
 */
reason?: string, };

/**
 * Removes somebody. For owners and admins; an admin cannot remove an admin or the owner.
 */
export type RemoveMember = { 
/**
 * Where.
 */
chat_id: ChatId, 
/**
 * Whom.
 */
user_id: UserId, 
/**
 * Why, at most 255 characters: shown to those who may remove, and told to whoever was removed.
 */
reason?: string, };

/**
 * What a new offer renews; each includes those before it.
 */
export type Renew = "media" | "ice" | "transport";

/**
 * Tells the operator of somebody.
 */
export type Report = { 
/**
 * Whom. They must be known to the user: by a chat, or found by handle.
 */
user_id: UserId, 
/**
 * What is wrong.
 */
reason: ReportReason, 
/**
 * In which chat: one that the user is in, or was.
 */
chat_id?: ChatId, 
/**
 * By which message there: one that the user can see, or, having gone, has read.
 */
seq?: Seq, 
/**
 * In the user's words, at most 1024 bytes.
 */
note?: string, };

/**
 * What is wrong with somebody who is reported.
 */
export type ReportReason = "spam" | "abuse" | "fraud" | "other";

/**
 * Looks a handle up.
 */
export type Resolve = { 
/**
 * The handle of a user, a group or a channel, without `@`.
 */
handle: string, };

/**
 * The answer to [`Resolve`]: one of the two.
 */
export type Resolved = { 
/**
 * The user with that handle.
 */
user?: User, 
/**
 * The public chat with that handle.
 */
chat?: ChatInfo, };

/**
 * Takes rights from a member that everybody has, until a time or for good. For those who may remove. It holds when they leave and come
 * back, too.
 */
export type RestrictMember = { 
/**
 * Where.
 */
chat_id: ChatId, 
/**
 * Whom.
 */
user_id: UserId, 
/**
 * Which of `write`, `react` and `add`; none gives all back.
 */
denied: Array<Right>, 
/**
 * Until when, in the future; absent for good.
 */
until?: Timestamp, };

/**
 * Where a client wants to go on.
 */
export type Resume = { 
/**
 * The epochs of the cursors, as they came with the last answer.
 */
epochs: Array<Epoch>, 
/**
 * The per-user version that the client has.
 */
user_version: Version, 
/**
 * A cursor for each chat that the client keeps, at most 4000. Chats of the user that are missing here come as snapshots.
 */
chats: Array<ChatCursor>, };

/**
 * Signs one of the own devices out, at once and on every node.
 */
export type RevokeDevice = { 
/**
 * Which. The own one closes this connection.
 */
device_id: DeviceId, };

/**
 * Takes an invite link back, for good. Who came through it stays known. For those who may add.
 */
export type RevokeInvite = { 
/**
 * Where.
 */
chat_id: ChatId, 
/**
 * Which.
 */
invite_id: InviteId, };

/**
 * Signs all of the own devices out but the one that asks, at once and on every node.
 */
export type RevokeOtherDevices = Record<symbol, never>;

/**
 * One thing that somebody may do in a chat.
 */
export type Right = "write" | "react" | "add" | "remove" | "delete" | "list" | "name" | "change_info" | "pin" | "unknown";

/**
 * What a member may do.
 */
export type Role = "member" | "admin" | "owner";

/**
 * A film in a circle, of whoever speaks.
 */
export type RoundBody = { 
/**
 * The file.
 */
file: StoredFile, 
/**
 * How long it plays, in milliseconds.
 */
duration_ms: number, 
/**
 * What is shown until its poster has come: see [`PhotoBody::preview`].
 */
preview?: string, 
/**
 * The picture that stands for it until it plays.
 */
poster?: FileId, };

/**
 * Has a message sent later, by the server. Again under the same client id: it stands as said last. When its time comes it is sent as if
 * its writer sent it then, and what is refused then is kept, and says why.
 */
export type Schedule = { 
/**
 * The message.
 */
message: Send, 
/**
 * When, at most 366 days ahead. A time that is over means at once.
 */
at?: Timestamp, 
/**
 * In a direct chat instead of a time: when the other one is online, which one must be allowed to see.
 */
when_online?: boolean, };

/**
 * See [`OwnItem::Scheduled`].
 */
export type Scheduled = { 
/**
 * How many.
 */
count: number, 
/**
 * Of these, how many were refused when their time came.
 */
failed?: number, 
/**
 * When something of them changed last: whoever shows them asks anew.
 */
changed_at: Timestamp, };

/**
 * A message that is still to be sent.
 */
export type ScheduledMessage = { 
/**
 * As it will be sent.
 */
message: Send, 
/**
 * When; absent: when the other one is online.
 */
at?: Timestamp, 
/**
 * Its time came, and it was refused: why.
 */
failed?: ErrorCode, };

/**
 * The answer to [`GetScheduled`].
 */
export type ScheduledMessages = { 
/**
 * The one that is sent first stands first; those without a time at the end.
 */
messages: Array<ScheduledMessage>, 
/**
 * There are more, which did not fit.
 */
more?: boolean, };

/**
 * The person has seen the missed calls: their counter is 0 again, on all own devices.
 */
export type SeeCalls = Record<symbol, never>;

/**
 * Sends a message. Acknowledged after it is stored. A retry with the same client id and content returns the message that exists.
 */
export type Send = { 
/**
 * Where.
 */
chat_id: ChatId, 
/**
 * Made by the client, new for each message, the same for each retry of it.
 */
client_id: string, 
/**
 * What it says.
 */
body: NewBody, 
/**
 * The message that it answers.
 */
reply_to?: Seq, 
/**
 * Which words of that message it is about.
 */
quote?: Quote, 
/**
 * It makes no sound at the others' and is not notified of.
 */
silent?: boolean, 
/**
 * Of a text: a link in it of which the server has made a preview ([`PreviewLink`]), as it was asked for. Where the server knows none any
 * more the message goes without.
 */
preview?: string, 
/**
 * In a group that belongs to a channel: the post under which it is a comment, as that stands in the group.
 */
thread?: Seq, };

/**
 * Sends some messages that belong together: all of them, one after the other and in one change, or none. A retry with the same client
 * ids and content returns those that exist.
 */
export type SendAlbum = { 
/**
 * Where.
 */
chat_id: ChatId, 
/**
 * 2 to 10: photos and videos, or music, or documents.
 */
items: Array<AlbumItem>, 
/**
 * The message that they answer.
 */
reply_to?: Seq, 
/**
 * They make no sound at the others' and are not notified of.
 */
silent?: boolean, };

/**
 * Has messages sent now that were to be sent later.
 */
export type SendScheduled = { 
/**
 * Their client ids, at most 100. Those that there are not are passed over.
 */
client_ids: Array<string>, };

/**
 * The answer to [`Send`]: the message is stored for good.
 */
export type Sent = { 
/**
 * Its place.
 */
seq: Seq, 
/**
 * The chat's version that brought it. It arrives in a delta too: do not move the cursor by this.
 */
version: Version, 
/**
 * When it was stored.
 */
sent_at: Timestamp, };

/**
 * The answer to [`SendAlbum`] and [`Forward`](super::Forward).
 */
export type SentAlbum = { 
/**
 * For each item, in their order.
 */
sent: Array<Sent>, };

/**
 * The place of a message in its chat: 1, 2, 3 … without holes. 0 stands before the first.
 */
export type Seq = number;

/**
 * Something that happened in a chat.
 */
export type ServiceAction = { "type": "created" } | { "type": "joined" } | { "type": "left" } | { "type": "added", 
/**
 * Whom.
 */
user_ids: Array<UserId>, } | { "type": "removed", 
/**
 * Whom.
 */
user_id: UserId, } | { "type": "settings", 
/**
 * Nothing is forwarded. In groups and channels.
 */
no_forwarding?: boolean, 
/**
 * Whoever comes in from now on sees only what follows. In groups.
 */
hidden_history?: boolean, 
/**
 * Seconds after which new messages are deleted for all, 5 to 31,622,400; 0: never.
 */
delete_after?: number, 
/**
 * New posts are signed. In channels.
 */
signed?: boolean, } | { "type": "call", 
/**
 * Which call.
 */
call_id: CallId, 
/**
 * Who called.
 */
caller: UserId, 
/**
 * What it carried at its most.
 */
media: CallMedia, 
/**
 * How long the two were connected, in seconds; 0 when they never were.
 */
seconds: number, } & ({ "reason": "hung_up" } | { "reason": "declined" } | { "reason": "busy" } | { "reason": "cancelled" } | { "reason": "missed" } | { "reason": "unreachable" } | { "reason": "glare", 
/**
 * The call that goes on.
 */
winner: CallId, } | { "reason": "not_connected" } | { "reason": "dropped" } | { "reason": "vanished" } | { "reason": "signed_out" } | { "reason": "node_stopped" } | { "reason": "node_lost" }) | { type: string } & Record<string, unknown>;

/**
 * Says what an admin may beside what everybody may. For the owner.
 */
export type SetAdminRights = { 
/**
 * Where.
 */
chat_id: ChatId, 
/**
 * Whose.
 */
user_id: UserId, 
/**
 * All of them.
 */
rights: Array<Right>, };

/**
 * Changes the own picture, or takes it away. Others see it when they ask next.
 */
export type SetAvatar = { 
/**
 * A file of one's own of the kind `avatar`; absent to have none.
 */
file_id?: FileId, };

/**
 * Says what everybody in a group or channel may. For the owner, and admins who may name admins.
 */
export type SetChatRights = { 
/**
 * Where.
 */
chat_id: ChatId, 
/**
 * In a group of `write`, `react` and `add`; in a channel `react`. Nobody gives what they do not have.
 */
rights: Array<Right>, };

/**
 * Changes settings of a chat. For admins who may `change_info`; in a direct chat either of the two sets `delete_after`, and nothing else.
 * What is named is set, what is absent stays.
 */
export type SetChatSettings = { 
/**
 * Where.
 */
chat_id: ChatId, 
/**
 * Nothing is forwarded. In groups and channels.
 */
no_forwarding?: boolean, 
/**
 * Whoever comes in from now on sees only what follows. In groups.
 */
hidden_history?: boolean, 
/**
 * Seconds after which new messages are deleted for all, 5 to 31,622,400; 0: never.
 */
delete_after?: number, 
/**
 * New posts are signed. In channels.
 */
signed?: boolean, };

/**
 * Has the posts of a channel discussed in a group, or no longer. For those who are owner or admin of both and may change what stands above
 * them; to end it, of one of the two.
 */
export type SetDiscussion = { 
/**
 * The channel; to end it also the group.
 */
chat_id: ChatId, 
/**
 * The group; absent to end it.
 */
group_id?: ChatId, };

/**
 * Changes the title, the description or the photo of a group or channel, or several of them. For those who may `change_info`.
 */
export type SetInfo = { 
/**
 * Where.
 */
chat_id: ChatId, 
/**
 * 1 to 128 characters; absent to leave it.
 */
title?: string, 
/**
 * At most 255 characters, none to have no description; absent to leave it.
 */
description?: string, 
/**
 * A file of one's own of the kind `avatar`; `null` to have none, absent to leave it.
 */
photo?: FileId | null, };

/**
 * Makes an invite link of a group or channel, or changes one: all but who made it. For those who may add.
 */
export type SetInvite = { 
/**
 * Where.
 */
chat_id: ChatId, 
/**
 * Made by the client, new for each link.
 */
invite_id: InviteId, 
/**
 * 1 to 128 characters.
 */
title?: string, 
/**
 * Until when it is good, in the future; absent: for ever.
 */
expires_at?: Timestamp, 
/**
 * How often it can be used, 1 to 100,000; absent: as often as one likes.
 */
max_uses?: number, 
/**
 * Whoever comes through it asks first.
 */
approval?: boolean, };

/**
 * Sets some of the user's own things, on all own devices: all of them, or none. What is so already changes nothing.
 */
export type SetItems = { 
/**
 * At most 100, none twice.
 */
items: Array<OwnItem>, };

/**
 * Changes the own name. Others see it when they ask next.
 */
export type SetName = { 
/**
 * 1 to 128 characters.
 */
name: string, };

/**
 * Changes a role. For the owner. Naming another owner makes the old one an admin.
 */
export type SetRole = { 
/**
 * Where.
 */
chat_id: ChatId, 
/**
 * Whose.
 */
user_id: UserId, 
/**
 * The new role.
 */
role: Role, };

/**
 * Says how long somebody who is no admin waits between two posts in a group. For those who may remove.
 */
export type SetSlowMode = { 
/**
 * Where.
 */
chat_id: ChatId, 
/**
 * 0 to 86,400; 0: not at all.
 */
seconds: number, };

/**
 * Makes a pack of stickers, or replaces the whole of one's own: its title, its stickers and their order. Again, it changes nothing.
 */
export type SetStickerPack = { 
/**
 * Made by the client, new for each pack.
 */
pack_id: PackId, 
/**
 * 1 to 128 characters.
 */
title: string, 
/**
 * In their order, 1 to 120, none twice.
 */
stickers: Array<NewPackSticker>, };

/**
 * Says that the user is writing. Answered, not stored.
 */
export type SetTyping = { 
/**
 * Where.
 */
chat_id: ChatId, };

/**
 * Other settings of a chat; what is absent stays as it is, so that two admins who change different ones do not undo each other.
 */
export type SettingsChange = { 
/**
 * Nothing is forwarded. In groups and channels.
 */
no_forwarding?: boolean, 
/**
 * Whoever comes in from now on sees only what follows. In groups.
 */
hidden_history?: boolean, 
/**
 * Seconds after which new messages are deleted for all, 5 to 31,622,400; 0: never.
 */
delete_after?: number, 
/**
 * New posts are signed. In channels.
 */
signed?: boolean, };

/**
 * What one side shows of itself.
 */
export type SideState = { 
/**
 * The microphone is off.
 */
muted: boolean, 
/**
 * The camera is off. Means nothing in a voice call.
 */
camera_off: boolean, 
/**
 * Put the call on hold.
 */
held: boolean, 
/**
 * Its connection to the server is lost; the call ends if it stays so for 15 s.
 */
away: boolean, };

/**
 * `POST /api/v1/sign-in`: signs a device in.
 */
export type SignIn = { 
/**
 * The handle.
 */
handle: string, 
/**
 * The password.
 */
password: string, 
/**
 * What the device calls itself.
 */
device?: string, };

/**
 * The answer to [`Register`] and [`SignIn`].
 */
export type SignedIn = { 
/**
 * The secret of this device: `Authorization: Bearer …` over HTTP, `token` in `hello`. It is shown once.
 */
token: string, 
/**
 * Who signed in.
 */
user: User, 
/**
 * Which device this is now.
 */
device_id: DeviceId, };

/**
 * A small picture or animation without a background.
 */
export type StickerBody = { 
/**
 * The file.
 */
file: StoredFile, 
/**
 * In pixels.
 */
width: number, 
/**
 * In pixels.
 */
height: number, 
/**
 * The emoji that it stands for.
 */
emoji?: string, 
/**
 * It moves.
 */
animated?: boolean, 
/**
 * The pack that it is of. The file is the pack's own then.
 */
pack_id?: PackId, };

/**
 * Some stickers under a title.
 */
export type StickerPack = { 
/**
 * Which.
 */
id: PackId, 
/**
 * What it is called.
 */
title: string, 
/**
 * The asking user has made it, and can change it. Whose a pack of others is nobody learns.
 */
own?: boolean, 
/**
 * In their order, 1 to 120.
 */
stickers: Array<PackSticker>, };

/**
 * The answer to [`GetStickerPacks`].
 */
export type StickerPacks = { 
/**
 * In the order in which they were named. Those that there are not are left out.
 */
packs: Array<StickerPack>, };

/**
 * A file as a message shows it.
 */
export type StoredFile = { 
/**
 * Which.
 */
id: FileId, 
/**
 * Its length in bytes.
 */
size: number, 
/**
 * What it is, as the server found: never by its name.
 */
mime: string, 
/**
 * The name to save it under: no path, and nothing that would turn the text around it.
 */
name?: string, };

/**
 * The answer to a [`Resume`]: only what changed.
 */
export type Sync = { 
/**
 * The histories that the versions belong to, of each database.
 */
epochs: Array<Epoch>, 
/**
 * The databases whose cursors were of another epoch, or absent: forget the versions and all else of what they hold; of that, this
 * is everything. `people`: the per-user version and the list of chats. `chats`: all chats. One of another name: both. The outbox
 * stays.
 */
reset?: Array<string>, 
/**
 * What changed of the user's own things.
 */
user: UserDelta, 
/**
 * Chats that changed, those with the newest messages first.
 */
chats: Array<ChatSync>, 
/**
 * Chats that changed too, but did not fit: ask `difference` from the own versions (0 when unknown).
 */
behind?: Array<ChatId>, 
/**
 * Read marks of others that are further than the cursor's, as `[chat_id, seq]`.
 */
others_read?: Array<[ChatId, Seq]>, };

/**
 * Text with marks.
 */
export type Text = { 
/**
 * 1 to 4096 UTF-16 code units, without U+0000.
 */
text: string, 
/**
 * The marks, by offset; an outer one before those inside it. At most 100.
 */
entities?: Array<Entity>, };

/**
 * A moment, written like `2026-11-23T08:30:00.125Z`. Resolution: one millisecond.
 */
export type Timestamp = string;

/**
 * See [`super::OwnItem::Removed`].
 */
export type ToldRemoval = { 
/**
 * The chat's title then.
 */
title: string, 
/**
 * When.
 */
at: Timestamp, 
/**
 * Why.
 */
reason: string, };

/**
 * See [`Event::Typing`].
 */
export type Typing = { 
/**
 * Where.
 */
chat_id: ChatId, 
/**
 * Who.
 */
user_id: UserId, };

/**
 * Lets somebody who was removed come back by themselves. For those who may remove.
 */
export type UnbanMember = { 
/**
 * Where.
 */
chat_id: ChatId, 
/**
 * Whom.
 */
user_id: UserId, };

/**
 * Takes all pins back.
 */
export type UnpinAll = { 
/**
 * Where.
 */
chat_id: ChatId, };

/**
 * Takes a pin back.
 */
export type UnpinMessage = { 
/**
 * Where.
 */
chat_id: ChatId, 
/**
 * Which.
 */
seq: Seq, };

/**
 * What everybody may know of a user.
 */
export type User = { 
/**
 * Who.
 */
id: UserId, 
/**
 * Unique name in lower case, `a–z 0–9 _`.
 */
handle: string, 
/**
 * The name that people see.
 */
name: string, 
/**
 * The picture that people see, at `/files/avatar/<id>/80` and `…/320`, without a token.
 */
photo?: FileId, };

/**
 * All changes of what belongs to one user, after `from` up to and with `version`.
 * From version 0 it is everything, unless `more` follows.
 */
export type UserDelta = { 
/**
 * The version that the receiver must have reached.
 */
from: Version, 
/**
 * The version that the receiver has afterwards.
 */
version: Version, 
/**
 * What changed, by version. From version 0 it is everything, unless `more` follows: what is not named is not there.
 */
items?: Array<Item>, 
/**
 * In an answer: there is more after `version`, ask `user_difference` again. From version 0 it is not everything then.
 */
more?: boolean, };

/**
 * The changes of the user's own things since a version.
 */
export type UserDifference = { 
/**
 * The own version; 0 for everything.
 */
from: Version, };

/**
 * A person or a bot.
 */
export type UserId = number;

/**
 * The answer to [`GetUsers`].
 */
export type Users = { 
/**
 * In no order.
 */
users: Array<User>, };

/**
 * The count of changes of a chat, or of what belongs to one user: 1, 2, 3 … without holes. 0 stands before the first.
 */
export type Version = number;

/**
 * A film.
 */
export type VideoBody = { 
/**
 * The file.
 */
file: StoredFile, 
/**
 * In pixels.
 */
width: number, 
/**
 * In pixels.
 */
height: number, 
/**
 * How long it plays, in milliseconds.
 */
duration_ms: number, 
/**
 * What is shown until its poster has come: see [`PhotoBody::preview`].
 */
preview?: string, 
/**
 * The picture that stands for it until it plays.
 */
poster?: FileId, 
/**
 * Covered until it is touched.
 */
spoiler?: boolean, 
/**
 * The same in all messages of one album.
 */
album?: string, 
/**
 * At most 4096 UTF-16 code units, without U+0000; absent when there is none.
 */
text?: string, 
/**
 * The marks, by offset; an outer one before those inside it. At most 100.
 */
entities?: Array<Entity>, };

/**
 * Speech.
 */
export type VoiceBody = { 
/**
 * Ogg Opus.
 */
file: StoredFile, 
/**
 * How long it plays, in milliseconds.
 */
duration_ms: number, 
/**
 * How loud it is: 100 values of 5 bits, packed from the lowest bit on into 63 bytes, in base64 without padding.
 */
waveform?: string, 
/**
 * At most 4096 UTF-16 code units, without U+0000; absent when there is none.
 */
text?: string, 
/**
 * The marks, by offset; an outer one before those inside it. At most 100.
 */
entities?: Array<Entity>, };

/**
 * Answers a poll, changes one's answer, or takes it back. Whoever asks twice has voted once.
 */
export type Vote = { 
/**
 * Where.
 */
chat_id: ChatId, 
/**
 * Which message.
 */
seq: Seq, 
/**
 * The places of what one chooses, from 0; none to take it back.
 */
options: Array<number>, };

/**
 * The answer to [`Vote`].
 */
export type Voted = { 
/**
 * The chat's version after it. The counts arrive in a delta: do not move the cursor by this.
 */
version: Version, 
/**
 * As it stands now.
 */
vote: OwnVote, };

/**
 * The answer to [`GetVoters`].
 */
export type Voters = { 
/**
 * At most 200. There may be none although more follow.
 */
user_ids: Array<UserId>, 
/**
 * Ask again with it; absent at the end.
 */
after?: UserId, };

/**
 * Replaces the set of users whose presence this connection watches.
 */
export type WatchPresence = { 
/**
 * People who have written in the direct chat with the asking user or opened it, at most 200. Others are left out.
 */
user_ids: Array<UserId>, };

/**
 * The answer to [`Hello`].
 */
export type Welcome = { 
/**
 * Who you are.
 */
user: User, 
/**
 * Which device this is.
 */
device_id: DeviceId, 
/**
 * The server's clock.
 */
server_time: Timestamp, 
/**
 * The server pings after this many seconds of silence, and closes after twice as many.
 */
heartbeat_seconds: number, 
/**
 * What you missed.
 */
sync: Sync, };

/**
 * An error as it crosses the wire.
 */
export type WireError = { 
/**
 * Why.
 */
code: ErrorCode, 
/**
 * A sentence in English for people who read logs. Never shown by its text alone: translate the code.
 */
message: string, 
/**
 * What to do.
 */
action: Action, 
/**
 * How long to wait before the retry, in milliseconds.
 */
retry_after_ms?: number, };

/** Every command with its params and its reply. */
export interface Commands {
  hello: { params: Hello; reply: Welcome };
  ping: { params: Ping; reply: Done };
  send: { params: Send; reply: Sent };
  send_album: { params: SendAlbum; reply: SentAlbum };
  schedule: { params: Schedule; reply: Done };
  edit_scheduled: { params: EditScheduled; reply: Done };
  send_scheduled: { params: SendScheduled; reply: Done };
  delete_scheduled: { params: DeleteScheduled; reply: Done };
  get_scheduled: { params: GetScheduled; reply: ScheduledMessages };
  forward: { params: Forward; reply: SentAlbum };
  preview_link: { params: PreviewLink; reply: LinkPreviewed };
  set_discussion: { params: SetDiscussion; reply: Changed };
  join_discussion: { params: JoinDiscussion; reply: ChatSnapshot };
  get_thread: { params: GetThread; reply: Page };
  edit: { params: Edit; reply: Changed };
  delete: { params: Delete; reply: Changed };
  delete_messages: { params: DeleteMessages; reply: Changed };
  hide_messages: { params: HideMessages; reply: ItemsSet };
  react: { params: React; reply: Changed };
  get_reactions: { params: GetReactions; reply: Reactors };
  get_readers: { params: GetReaders; reply: Readers };
  vote: { params: Vote; reply: Voted };
  close_poll: { params: ClosePoll; reply: Changed };
  get_voters: { params: GetVoters; reply: Voters };
  mark_read: { params: MarkRead; reply: Done };
  set_typing: { params: SetTyping; reply: Done };
  watch_presence: { params: WatchPresence; reply: Presences };
  history: { params: History; reply: Page };
  difference: { params: Difference; reply: Differences };
  user_difference: { params: UserDifference; reply: UserDelta };
  set_items: { params: SetItems; reply: ItemsSet };
  answer_request: { params: AnswerRequest; reply: Done };
  report: { params: Report; reply: Done };
  open_direct: { params: OpenDirect; reply: ChatSnapshot };
  create_chat: { params: CreateChat; reply: ChatSnapshot };
  get_chat: { params: GetChat; reply: ChatSnapshot };
  get_members: { params: GetMembers; reply: Members };
  add_members: { params: AddMembers; reply: Changed };
  remove_member: { params: RemoveMember; reply: Changed };
  set_role: { params: SetRole; reply: Changed };
  set_chat_rights: { params: SetChatRights; reply: Changed };
  set_admin_rights: { params: SetAdminRights; reply: Changed };
  restrict_member: { params: RestrictMember; reply: Changed };
  set_info: { params: SetInfo; reply: Changed };
  pin_message: { params: PinMessage; reply: Changed };
  unpin_message: { params: UnpinMessage; reply: Changed };
  unpin_all: { params: UnpinAll; reply: Changed };
  unban_member: { params: UnbanMember; reply: Changed };
  get_banned: { params: GetBanned; reply: Members };
  set_slow_mode: { params: SetSlowMode; reply: Changed };
  set_chat_settings: { params: SetChatSettings; reply: Changed };
  get_admin_log: { params: GetAdminLog; reply: AdminLog };
  join: { params: Join; reply: ChatSnapshot };
  set_invite: { params: SetInvite; reply: Invite };
  revoke_invite: { params: RevokeInvite; reply: Invite };
  get_invites: { params: GetInvites; reply: Invites };
  get_invite_uses: { params: GetInviteUses; reply: InviteUses };
  preview_invite: { params: PreviewInvite; reply: InvitePreview };
  join_by_invite: { params: JoinByInvite; reply: JoinedByInvite };
  get_join_requests: { params: GetJoinRequests; reply: JoinRequests };
  answer_join_request: { params: AnswerJoinRequest; reply: Changed };
  leave: { params: Leave; reply: Done };
  resolve: { params: Resolve; reply: Resolved };
  get_users: { params: GetUsers; reply: Users };
  call_invite: { params: CallInvite; reply: CallState };
  call_ask: { params: AskCall; reply: Done };
  get_relays: { params: GetRelays; reply: Relays };
  call_relays: { params: CallRelays; reply: CallServers };
  call_rate: { params: RateCall; reply: Done };
  get_calls: { params: GetCalls; reply: Calls };
  see_calls: { params: SeeCalls; reply: Done };
  set_name: { params: SetName; reply: User };
  set_avatar: { params: SetAvatar; reply: User };
  get_file: { params: GetFile; reply: FileInfo };
  get_links: { params: GetLinks; reply: Links };
  set_sticker_pack: { params: SetStickerPack; reply: StickerPack };
  delete_sticker_pack: { params: DeleteStickerPack; reply: Done };
  get_sticker_packs: { params: GetStickerPacks; reply: StickerPacks };
  get_own_sticker_packs: { params: GetOwnStickerPacks; reply: OwnStickerPacks };
  get_devices: { params: GetDevices; reply: Devices };
  revoke_device: { params: RevokeDevice; reply: Done };
  revoke_other_devices: { params: RevokeOtherDevices; reply: Done };
}

/** What a server answers to a request. */
export type Reply<M extends keyof Commands> =
  | { id: number; ok: Commands[M]["reply"] }
  | { id: number | null; error: WireError };

/** Close codes and what to do about them. */
export const CLOSE_CODES: Record<number, Action> = {
  1000: "give_up", // closed as asked
  1002: "give_up", // protocol violation
  1009: "give_up", // frame too large
  4001: "resume", // no hello in time
  4002: "resume", // nothing heard for too long
  4003: "re_authenticate", // token unknown, expired or revoked
  4004: "resume", // reading too slowly: resume from your cursors
  4005: "resume", // node going away: resume elsewhere
  4006: "resume", // epoch changed: resume
  4008: "give_up", // too many errors
};
