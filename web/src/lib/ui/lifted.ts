interface Size {
  width: number;
  height: number;
}

/** From the edges of the screen, and between the parts, in pixels. */
const EDGE = 8;

/**
 * Where a lifted thing and what can be done with it stand: reactions above it, actions below, all of it on the screen. It
 * stays where it was if there is room around it, moves as little as it must, and is cut where the screen is too low.
 */
export function placeLifted(
  from: { left: number; right: number; top: number; width: number; height: number },
  quick: Size,
  rows: Size,
  screen: Size,
): { top: number; height: number; quickLeft: number; quickTop: number; rowsLeft: number; rowsTop: number } {
  const above = quick.height > 0 ? quick.height + EDGE : 0;
  const below = rows.height + EDGE;
  const height = Math.max(0, Math.min(from.height, screen.height - above - below - 2 * EDGE));
  const top = Math.max(EDGE + above, Math.min(from.top, screen.height - EDGE - below - height));
  // Both keep to the side at which the message stands.
  const atLeft = from.left + from.right < screen.width;
  const beside = (width: number): number => Math.max(EDGE, Math.min(atLeft ? from.left : from.right - width, screen.width - width - EDGE));
  return {
    top,
    height,
    quickLeft: beside(quick.width),
    quickTop: top - above,
    rowsLeft: beside(rows.width),
    rowsTop: top + height + EDGE,
  };
}
