import { fold } from '@chapar/client/text';

/** Letters of other scripts, and digits, that are drawn as a Latin letter, in either case; after folding. */
const DRAWN_AS: Record<string, string> = {
  // Cyrillic
  а: 'a', в: 'b', е: 'e', к: 'k', м: 'm', н: 'h', о: 'o', р: 'p', с: 'c', т: 't', у: 'y', х: 'x', і: 'l', ј: 'j', ѕ: 's', һ: 'h', ԁ: 'd', ԛ: 'q', ԝ: 'w', ӏ: 'l', ь: 'b', г: 'r', п: 'n', и: 'u',
  // Greek
  α: 'a', β: 'b', ε: 'e', ζ: 'z', η: 'n', ι: 'l', κ: 'k', μ: 'm', ν: 'v', ο: 'o', ρ: 'p', τ: 't', υ: 'y', χ: 'x', ω: 'w', ς: 'c', σ: 'o',
  // Latin that is drawn nearly alike, small or capital
  i: 'l', ı: 'l', ɩ: 'l', ɑ: 'a', ø: 'o', đ: 'd', ł: 'l', ß: 'b', '1': 'l', '0': 'o', '5': 's',
  // Arabic letters of neighbours' keyboards
  ے: 'ی', ې: 'ی', ڪ: 'ک', ە: 'ه', ہ: 'ه', ھ: 'ه', ء: '',
};

const kept = new Map<string, string>();
/** Names that are kept at most. */
const KEPT = 5_000;

/**
 * What an eye takes a name for: two names with the same one can be mistaken for each other. Never for showing. A sign, an
 * emoji or a blank makes no name another one, as the tick behind a name that nobody has verified.
 */
export function drawn(name: string): string {
  const known = kept.get(name);
  if (known !== undefined) return known;
  let text = '';
  for (const letter of fold(name).replace(/[^\p{L}\p{N}|]/gu, '').replaceAll('|', 'l')) text += DRAWN_AS[letter] ?? letter;
  text = text.replaceAll('rn', 'm').replaceAll('vv', 'w');
  // Of one that is all signs the signs are what tells it from others.
  const form = text === '' ? name.trim() : text;
  if (kept.size >= KEPT) kept.clear();
  kept.set(name, form);
  return form;
}

/** Those among whom one may be mistaken for another by the name. */
export function alike<Id>(named: Iterable<readonly [id: Id, name: string]>): Set<Id> {
  const first = new Map<string, Id>();
  const found = new Set<Id>();
  for (const [id, name] of named) {
    const form = drawn(name);
    const other = first.get(form);
    if (other === undefined) first.set(form, id);
    else if (other !== id) found.add(other).add(id);
  }
  return found;
}
