/** Where one can be. The address stands behind the `#`, so that any plain file server will do. */
export type Route =
  | { at: 'list' }
  | { at: 'chat'; chatId: number; seq?: number }
  | { at: 'settings' }
  | { at: 'calls' };

/** Reads `#/chat/12`, `#/chat/12/345`, `#/settings`, `#/calls`; anything else is the list. */
export function parseRoute(hash: string): Route {
  const chat = /^#\/chat\/([1-9]\d{0,15})(?:\/([1-9]\d{0,15}))?$/.exec(hash);
  if (chat) {
    const route: Route = { at: 'chat', chatId: Number(chat[1]) };
    return chat[2] === undefined ? route : { ...route, seq: Number(chat[2]) };
  }
  if (hash === '#/settings') return { at: 'settings' };
  if (hash === '#/calls') return { at: 'calls' };
  return { at: 'list' };
}

export function hashOf(route: Route): string {
  switch (route.at) {
    case 'list':
      return '#/';
    case 'chat':
      return route.seq === undefined ? `#/chat/${route.chatId}` : `#/chat/${route.chatId}/${route.seq}`;
    default:
      return `#/${route.at}`;
  }
}
