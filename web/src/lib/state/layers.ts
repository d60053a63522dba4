/**
 * Whatever lies over the page (dialogs, menus, the call, a selection) is a layer. Back and Esc close the top one; a layer
 * stands in the browser's history, so that the phone's Back button does what people expect.
 *
 * The browser goes back in its own time. So the layers lead and the history follows: while a step back is under way nothing
 * is pushed, and when it is done the history is brought in line with what is open by then.
 */
interface Layer {
  close: () => void;
}

const stack: Layer[] = [];
/** Layers that the history holds. */
let held = 0;
/** A step back of our own that the browser has not taken yet. */
let stepping = false;
let leaving: Promise<void> = Promise.resolve();
let left: (() => void) | undefined;

const depthOf = (state: unknown): number =>
  typeof state === 'object' && state !== null && 'depth' in state && typeof state.depth === 'number' ? state.depth : 0;

/** Opens a layer. `close` is called when it is to vanish, by Back, Esc or the function returned. */
export function openLayer(close: () => void): () => void {
  const layer: Layer = { close };
  stack.push(layer);
  follow();
  return () => {
    const at = stack.indexOf(layer);
    if (at === -1) return;
    for (const each of stack.splice(at).reverse()) each.close();
    follow();
  };
}

/** Closes the top layer; says whether there was one. */
export function closeTop(): boolean {
  const layer = stack.pop();
  if (!layer) return false;
  layer.close();
  follow();
  return true;
}

export const hasLayer = (): boolean => stack.length > 0;

/** Resolves when the history has caught up with the layers that were closed: a new address may be pushed then. */
export const settled = (): Promise<void> => leaving;

/** Brings the history in line with what is open. */
function follow(): void {
  if (stepping) return;
  while (held < stack.length) history.pushState({ depth: ++held }, '');
  if (held === stack.length) {
    left?.();
    left = undefined;
    return;
  }
  stepping = true;
  if (!left) leaving = new Promise((resolve) => (left = resolve));
  history.go(stack.length - held);
}

/** The address changed: layers that the history no longer holds are closed, unless it was our own step. */
export function onPop(state: unknown): void {
  held = depthOf(state);
  if (!stepping) while (stack.length > held) stack.pop()?.close();
  stepping = false;
  follow();
}
