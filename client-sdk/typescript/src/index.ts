/**
 * The Chapar SDK for browsers and Node.
 *
 * ```ts
 * const client = await Client.open({ url: "https://chat.example" });
 * await client.signIn({ handle: "sara", password: "…" });
 * client.on("message", ({ chatId, message }) => console.log(chatId, message.body));
 * client.send(7, "سلام");
 * ```
 *
 * The call client is an entry of its own, so that it can be loaded when it is needed: `@chapar/client/call`.
 *
 * @module
 */

export { Client, type ClientOptions, type Sending, type SendOptions } from "./client.js";
export { Commands, newClientId, textBody, type Asking } from "./commands.js";
export { calls } from "./core/calls.js";
export type { AlbumPart, FileFacts, OutboxFile } from "./core/attached.js";
export type { AlbumFile, FileOptions } from "./files/give.js";
export { inFolder, isMuted, type FolderChat } from "./folders.js";
export type { Growing } from "./files/tus.js";
export type { FileRef, LinksOfFile } from "./files/links.js";
export { ChaparError, type LocalErrorCode } from "./error.js";
export type { ClientEvent, Connection, Stop } from "./core/event.js";
export type { ItemKey, ItemKind, ItemOf, ItemValue } from "./core/items.js";
export type { EventOf } from "./emitter.js";
export type { Outgoing, OutboxItem, SendState, Patch, ChatPatch, ChatHead } from "./core/patch.js";
export type { Config } from "./core/session_io.js";
export { Timeline, type TimelineChange } from "./timeline.js";
export { newestFirst, type ChatView, type MessageView } from "./view.js";
export { ADMINS_RIGHTS, deniedNow, everybodysRights, isBelow, standingIn, type Standing } from "./rights.js";
export { MemoryStore } from "./store/memory.js";
export type { CachedRows, Saved, Store } from "./store/store.js";
export type { SocketConstructor, SocketLike } from "./transport.js";
export type * from "./protocol.js";
