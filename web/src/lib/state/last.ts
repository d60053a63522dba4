/** The last one that fits. `findLast` is younger than the browsers that people have. */
export function last<T>(list: readonly T[], fits: (it: T) => boolean): T | undefined {
  for (let at = list.length - 1; at >= 0; at--) {
    const it = list[at] as T;
    if (fits(it)) return it;
  }
  return undefined;
}
