/** Longest name before "is writing", in characters: behind a longer one it would not be seen that anybody writes. */
const SHORT = 20;

/** The first words of a name, one at least. */
export function shortName(name: string): string {
  const [first = '', ...more] = name.split(' ');
  let short = first;
  for (const word of more) {
    if (short.length + 1 + word.length > SHORT) break;
    short += ` ${word}`;
  }
  return short;
}
