/** A place in an album, in hundredths of its side. */
export interface Cell {
  top: number;
  start: number;
  width: number;
  height: number;
}

/** How many stand in each row: no row of one but the first, none of more than three. */
const ROWS: Record<number, readonly number[]> = { 1: [1], 2: [2], 3: [1, 2], 4: [2, 2], 5: [2, 3], 6: [3, 3], 7: [2, 2, 3], 8: [3, 2, 3], 9: [3, 3, 3], 10: [2, 3, 2, 3] };

/**
 * Lays pictures out in a square, in their order, in rows: in a row each is as wide as its shape asks for, within bounds; flat
 * rows are lower than those of tall pictures. All of it is full.
 */
export function albumLayout(ratios: readonly number[]): Cell[] {
  const count = ratios.length;
  const wide = (ratios[0] ?? 1) >= 1;
  // Two wide ones stand one above the other.
  const rows = count === 2 && wide && (ratios[1] ?? 1) >= 1 ? [1, 1] : count === 3 && !wide ? [3] : (ROWS[count] ?? chunks(count));
  if (count === 3 && !wide) return leading(ratios);
  const bounded = ratios.map((it) => Math.min(Math.max(it || 1, 0.6), 1.8));
  let first = 0;
  const lines = rows.map((many) => {
    const line = bounded.slice(first, (first += many));
    const sum = line.reduce((all, it) => all + it, 0);
    return { line, sum, height: 1 / sum };
  });
  const all = lines.reduce((sum, it) => sum + it.height, 0);
  const cells: Cell[] = [];
  let top = 0;
  for (const { line, sum, height } of lines) {
    const share = (height / all) * 100;
    let start = 0;
    for (const it of line) {
      const width = (it / sum) * 100;
      cells.push({ top, start, width, height: share });
      start += width;
    }
    top += share;
  }
  return cells;
}

/** A tall one beside two. */
function leading(ratios: readonly number[]): Cell[] {
  const width = Math.min(Math.max((ratios[0] ?? 1) * 100, 45), 65);
  return [
    { top: 0, start: 0, width, height: 100 },
    { top: 0, start: width, width: 100 - width, height: 50 },
    { top: 50, start: width, width: 100 - width, height: 50 },
  ];
}

function chunks(count: number): number[] {
  const rows: number[] = [];
  for (let left = count; left > 0; left -= 3) rows.push(Math.min(left, 3));
  return rows;
}
