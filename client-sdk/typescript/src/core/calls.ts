import type { Message, UserId } from "../protocol.js";

/** Whether a message calls somebody: by a mention, or as the answer to a message of theirs. Oneself one calls not. */
export function calls(message: Message, user: UserId): boolean {
  if (message.sender === user) return false;
  if (message.answers === user) return true;
  const { body } = message;
  if (!("entities" in body) || !Array.isArray(body.entities)) return false;
  return body.entities.some((it: unknown) => typeof it === "object" && it !== null && "type" in it && it.type === "mention" && "user_id" in it && it.user_id === user);
}
