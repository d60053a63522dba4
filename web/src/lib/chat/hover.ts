/** The message under the mouse, and where beside it there is room, within the frame of the history. */
export interface Hovered {
  key: string;
  left: number;
  top: number;
  /** It stands to the left of that place, and not to the right. */
  leftwards: boolean;
}

/** From the bubble, in pixels. */
const GAP = 6;
/** What they want, in pixels. */
const ROOM = 88;

/** Where the tools of a row stand: at the free side of its bubble, at its foot. */
export function hoveredAt(row: HTMLElement, frame: HTMLElement): Hovered | undefined {
  const bubble = row.querySelector('.bubble')?.getBoundingClientRect();
  const key = row.dataset['key'];
  if (!bubble || key === undefined) return undefined;
  const around = frame.getBoundingClientRect();
  const leftwards = bubble.left - around.left > around.right - bubble.right;
  if (Math.max(bubble.left - around.left, around.right - bubble.right) < ROOM) return undefined;
  return {
    key,
    left: (leftwards ? bubble.left - GAP : bubble.right + GAP) - around.left,
    top: Math.min(bubble.bottom, around.bottom - GAP) - around.top,
    leftwards,
  };
}
