/**
 * Whatever lies over the page (dialogs, menus, the call, a selection) is a layer. Back and Esc close the top one; a layer
 * stands in the browser's history, so that the phone's Back button does what people expect.
 */
interface Layer {
  close: () => void;
}

const stack: Layer[] = [];
let leaving: Promise<void> = Promise.resolve();
let left: (() => void) | undefined;

const depthOf = (state: unknown): number =>
  typeof state === 'object' && state !== null && 'depth' in state && typeof state.depth === 'number' ? state.depth : 0;

/** Opens a layer. `close` is called when it is to vanish, by Back, Esc or the function returned. */
export function openLayer(close: () => void): () => void {
  const layer: Layer = { close };
  stack.push(layer);
  history.pushState({ depth: stack.length }, '');
  return () => {
    const at = stack.indexOf(layer);
    if (at === -1) return;
    const gone = stack.splice(at);
    for (const each of gone.reverse()) each.close();
    step(gone.length);
  };
}

/** Closes the top layer; says whether there was one. */
export function closeTop(): boolean {
  const layer = stack.pop();
  if (!layer) return false;
  layer.close();
  step(1);
  return true;
}

export const hasLayer = (): boolean => stack.length > 0;

/** Resolves when the history has caught up with the layers that were closed: a new address may be pushed then. */
export const settled = (): Promise<void> => leaving;

function step(count: number): void {
  leaving = new Promise((resolve) => {
    left = resolve;
  });
  history.go(-count);
}

/** The address changed: layers that the history no longer holds are closed. */
export function onPop(state: unknown): void {
  left?.();
  left = undefined;
  const depth = depthOf(state);
  while (stack.length > depth) stack.pop()?.close();
}
