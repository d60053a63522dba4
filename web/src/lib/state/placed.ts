/**
 * A list in order, with one of its members where it belongs now; without it when it belongs nowhere. `before` says whether it
 * stands before another one. The same list when nothing moves, so that whoever shows it has nothing to do.
 */
export function placed<T>(list: readonly T[], it: T, before: ((other: T) => boolean) | undefined): readonly T[] {
  const at = list.indexOf(it);
  if (!before) return at < 0 ? list : [...list.slice(0, at), ...list.slice(at + 1)];
  if (at >= 0) {
    const [above, below] = [list[at - 1], list[at + 1]];
    if ((above === undefined || !before(above)) && (below === undefined || before(below))) return list;
  }
  const rest = at < 0 ? list : [...list.slice(0, at), ...list.slice(at + 1)];
  let [low, high] = [0, rest.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (before(rest[middle] as T)) high = middle;
    else low = middle + 1;
  }
  return [...rest.slice(0, low), it, ...rest.slice(low)];
}
