/** Screens without anything further in their address. */
const PAGES = ['settings', 'calls', 'requests', 'archive', 'folders'] as const;

/** Where one can be. The address stands behind the `#`, so that any plain file server will do. */
export type Route = { at: 'list' } | { at: 'chat'; chatId: number; seq?: number } | { at: 'thread'; chatId: number; root: number } | { at: 'join'; token: string } | { at: (typeof PAGES)[number] };

const NUMBER = '([1-9]\\d{0,15})';

const TOKEN = '(\\d{1,16}-[\\w-]{22})';

/** The token of an invite link, where somebody has typed or pasted one, or its whole address. */
export const tokenIn = (text: string): string | undefined => new RegExp(`(?:^|/)${TOKEN}$`).exec(text.trim())?.[1];

/** Every address that there is, and where it leads: a screen is a line here, and one in `App.svelte`. */
const ROUTES: readonly [address: RegExp, route: (parts: string[]) => Route][] = [
  [new RegExp(`^#/chat/${NUMBER}$`), ([chat]) => ({ at: 'chat', chatId: Number(chat) })],
  [new RegExp(`^#/chat/${NUMBER}/${NUMBER}$`), ([chat, seq]) => ({ at: 'chat', chatId: Number(chat), seq: Number(seq) })],
  [new RegExp(`^#/thread/${NUMBER}/${NUMBER}$`), ([chat, root]) => ({ at: 'thread', chatId: Number(chat), root: Number(root) })],
  [new RegExp(`^#/join/${TOKEN}$`), ([token]) => ({ at: 'join', token: token as string })],
  ...PAGES.map((at): [RegExp, () => Route] => [new RegExp(`^#/${at}$`), () => ({ at })]),
];

/** Reads an address; one that nobody knows is the list. */
export function parseRoute(hash: string): Route {
  for (const [address, route] of ROUTES) {
    const found = address.exec(hash);
    if (found) return route(found.slice(1));
  }
  return { at: 'list' };
}

export function hashOf(route: Route): string {
  switch (route.at) {
    case 'list':
      return '#/';
    case 'chat':
      return route.seq === undefined ? `#/chat/${route.chatId}` : `#/chat/${route.chatId}/${route.seq}`;
    case 'thread':
      return `#/thread/${route.chatId}/${route.root}`;
    case 'join':
      return `#/join/${route.token}`;
    default:
      return `#/${route.at}`;
  }
}
