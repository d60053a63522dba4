import { describe, expect, it } from "vitest";
import directions from "../../../../../protocol/vectors/bodies/direction.json";
import { paragraphDirection } from "../../../src/text/direction.js";
import { parseMarkup, toMarkup } from "../../../src/text/markup.js";
import { recognise } from "../../../src/text/recognise.js";

/** Typed, and kept letter by letter: there is no mark in it. */
const UNTOUCHED = [
  // Addresses, handles, mail, files.
  "https://example.org/a__b__c/d.html", "https://example.org/?q=a**b**c", "http://x.ir/~~u~~/p", "https://x.org/||a||", "https://x.org/++c++/",
  "ببین https://example.org/a__b__c/d.html را", "https://en.example.org/wiki/Mercury_(planet)", "www.example.org/__a__", "example.com/a__b__c",
  "@my__best__friend", "به @my__best__friend بگو", "@a__b, @c__d", "my__name__is@example.org", "a__b__c@mail.example.org",
  "__init__.py", "my__file__v2.txt", "a/__b__/c", "./__tests__/x.js", "src/**/*.ts", "**/*.{js,ts}", "C:\\__a__\\b", "foo__bar__baz",
  // Code and sums that nobody marked as code.
  "if (a||b||c)", "a || b || c", "x||y", "C++/C++", "C++ و C++", "i++; j++", "++i; ++j", "a++b++", "2**3**4", "2 ** 3 ** 4", "2*3*4", "5 * 6 * 7",
  "def f(*args, **kwargs): g(**kwargs)", "int **p, **q", "a ~~ b ~~ c", "x~~y~~z", "~~", "****", "____", "** a **", "__ a __", "|| ||", "++ ++",
  "۲**۳**۴", "الف__ب__پ", "کتاب**ها**", "می‌**روم**", "**کتاب**ها", "**کتاب**‌ها", "foo**bar**", "**foo**bar", "__a__b", "snake_case_name", "a_b_c",
  // Backslashes.
  "¯\\_(ツ)_/¯", "\\\\server\\share", "C:\\_tmp\\[x]", "C:\\Users\\*", "\\", "\\\\", "a\\b", "\\n", "\\*", "\\_a\\_", "\\d+\\.\\d+", "\\[x]", "\\>", "a \\> b", "\\`", "C:\\**", "\\** a",
  // Brackets that are no links.
  "[x]", "[x](y)", "[x](javascript:alert(1))", "[x] (https://a.b)", "a[0](1)", "[ ](", "[](https://example.org)", "()", "[x](https://a b)",
  // What only looks like a sign.
  ">x", "x > y", ">", "a>b", ">>", "`", "``", "it`s", "*a*", "_a_", "~a~", "|a|", "**", "**a", "a**", "**a\n", "قیمت: ۱۰**", "*** ", "-- a --", "== a ==",
] as const;

type Mark = [type: string, text: string];
const MARKED: [typed: string, text: string, ...marks: Mark[]][] = [
  ["**a**", "a", ["bold", "a"]],
  ["(**a**)", "(a)", ["bold", "a"]],
  ["«**سلام**»", "«سلام»", ["bold", "سلام"]],
  ["نکته:**مهم**", "نکته:مهم", ["bold", "مهم"]],
  ["سلام،**علی**!", "سلام،علی!", ["bold", "علی"]],
  ["**علی**؟", "علی؟", ["bold", "علی"]],
  ["**علی**؛ بیا", "علی؛ بیا", ["bold", "علی"]],
  ["**علی**.", "علی.", ["bold", "علی"]],
  ["**a**, b", "a, b", ["bold", "a"]],
  ["**a b** c", "a b c", ["bold", "a b"]],
  ["**a**\n**b**", "a\nb", ["bold", "a"], ["bold", "b"]],
  ["**a\nb**", "a\nb", ["bold", "a\nb"]],
  ["__a__", "a", ["italic", "a"]],
  ["++a++", "a", ["underline", "a"]],
  ["~~a~~", "a", ["strike", "a"]],
  ["||a||", "a", ["spoiler", "a"]],
  ["||راز||.", "راز.", ["spoiler", "راز"]],
  ["**__a__**", "a", ["bold", "a"], ["italic", "a"]],
  ["**a __b__**", "a b", ["bold", "a b"], ["italic", "b"]],
  ["**a**__b__", "ab", ["bold", "a"], ["italic", "b"]],
  ["***a***", "*a*", ["bold", "*a*"]],
  ["**👋**", "👋", ["bold", "👋"]],
  ["👋**a**👋", "👋a👋", ["bold", "a"]],
  ["**2*3**", "2*3", ["bold", "2*3"]],
  ["**C++**", "C++", ["bold", "C++"]],
  ["**foo__bar**", "foo__bar", ["bold", "foo__bar"]],
  ["__https://x.org/a__b__c__", "https://x.org/a__b__c", ["italic", "https://x.org/a__b__c"]],
  ["**https://example.org**", "https://example.org", ["bold", "https://example.org"]],
  ["**@my__best__friend**", "@my__best__friend", ["bold", "@my__best__friend"]],
  ["**a**/**b**", "a/b", ["bold", "a"], ["bold", "b"]],
  ["- **a** - b", "- a - b", ["bold", "a"]],
  ["`a`", "a", ["code", "a"]],
  ["` a `", " a ", ["code", " a "]],
  ["`  a`  ", "  a", ["code", "  a"]],
  ["`**a**`", "**a**", ["code", "**a**"]],
  ["``a`b``", "a`b", ["code", "a`b"]],
  ["`a` و `b`", "a و b", ["code", "a"], ["code", "b"]],
  ["`\\`", "\\", ["code", "\\"]],
  ["**a `b**` c**", "a b** c", ["bold", "a b** c"], ["code", "b**"]],
  ["```\n  a\n    b\n```", "  a\n    b", ["pre", "  a\n    b"]],
  ["```py\n__init__\n```", "__init__", ["pre", "__init__"]],
  ["```\n\n a\n```", "\n a", ["pre", "\n a"]],
  ["```x```", "x", ["pre", "x"]],
  ["[a](https://x.org)", "a", ["link", "a"]],
  ["[a](HTTPS://x.org)", "a", ["link", "a"]],
  ["[t](https://x.org/foo_(bar))", "t", ["link", "t"]],
  ["[a[1]](https://x.org)", "a[1]", ["link", "a[1]"]],
  ["[**a**](https://x.org)", "a", ["link", "a"], ["bold", "a"]],
  ["**[a](https://x.org/a__b__c)**", "a", ["bold", "a"], ["link", "a"]],
  ["> a", "a", ["quote", "a"]],
  ["> a\n> b\nc", "a\nb\nc", ["quote", "a\nb"]],
  ["> **a**", "a", ["quote", "a"], ["bold", "a"]],
  ["\\**a**", "**a**"],
  ["\\\\**a**", "\\a", ["bold", "a"]],
  ["\\\\\\**a**", "\\**a**"],
  ["\\`a`", "`a`"],
  ["\\[a](https://x.org)", "[a](https://x.org)"],
  ["\\> a", "> a"],
  ["**a \\** b**", "a ** b", ["bold", "a ** b"]],
];

/** Typed, and what of it leads somewhere: the words, and where they lead if that is not the same. */
const LINKS: [typed: string, ...found: string[]][] = [
  ["https://example.org/start", "https://example.org/start"],
  ["Https://example.org/start", "Https://example.org/start"],
  ["HTTP://EXAMPLE.ORG", "HTTP://EXAMPLE.ORG"],
  ["ببین https://example.org.", "https://example.org"],
  ["https://example.org، بعد", "https://example.org"],
  ["«https://example.org»", "https://example.org"],
  ["(https://example.org)", "https://example.org"],
  ["https://example.org؟", "https://example.org"],
  ["https://example.org؛ بعد", "https://example.org"],
  ["https://example.org/a?b=c&d=e#f", "https://example.org/a?b=c&d=e#f"],
  ["https://en.example.org/wiki/Mercury_(planet)", "https://en.example.org/wiki/Mercury_(planet)"],
  ["(https://en.example.org/wiki/Mercury_(planet))", "https://en.example.org/wiki/Mercury_(planet)"],
  ["https://x.org/a[1]", "https://x.org/a[1]"],
  ["[https://x.org/a]", "https://x.org/a"],
  ["https://x.org/{a}", "https://x.org/{a}"],
  ["https://x.org/a...", "https://x.org/a"],
  ["https://x.org/a!?", "https://x.org/a"],
  ["https://fa.example.org/wiki/تهران", "https://fa.example.org/wiki/تهران"],
  ["ببینhttps://x.org", "https://x.org"],
  ["https://x.org:8080/a", "https://x.org:8080/a"],
  ["https://10.0.0.1/a", "https://10.0.0.1/a"],
  ["www.example.org", "www.example.org"],
  ["WWW.example.org/a", "WWW.example.org/a"],
  ["www.example.org.", "www.example.org"],
  ["example.org/page", "example.org/page"],
  ["example.com", "example.com"],
  ["سایت chapar.ir است", "chapar.ir"],
  ["chapar.ir!", "chapar.ir"],
  ["a.b.example.net", "a.b.example.net"],
  ["someone@example.org", "someone@example.org"],
  ["به first.last+tag@mail.example.co.uk بنویس", "first.last+tag@mail.example.co.uk"],
  ["+98 912 345 6789", "+98 912 345 6789"],
  ["+989123456789", "+989123456789"],
  ["09123456789", "09123456789"],
  ["۰۹۱۲۳۴۵۶۷۸۹", "۰۹۱۲۳۴۵۶۷۸۹"],
  ["021-8877 6655", "021-8877 6655"],
  ["شماره‌ام +98 912 345 6789 است", "+98 912 345 6789"],
  ["@sara_12 سلام", "@sara_12"],
  ["@my__best__friend", "@my__best__friend"],
  ["(@sara)", "@sara"],
  // No address, no person, no phone.
  ["main.rs"], ["README.md"], ["run.sh"], ["a.b"], ["1.2.3"], ["node.js"], ["e.g. this"], ["javascript:alert(1)"], ["ftp://x.org/a"], ["file:///etc"],
  ["@ab"], ["a@b"], ["user@host"], ["6037 9971 1234 5678"], ["۱۴۰۵/۹/۶"], ["1 + 2 = 3"], ["123456"], ["3.14"], ["12:30"], ["https://"], ["www."],
];

/** `chat`: the text says nothing, and the chat decides. */
const DIRECTIONS = directions.map(({ text, direction }): [string, string] => [text, direction]);

describe("text as typed", () => {
  it("is a table of two hundred cases and more", () => {
    expect(UNTOUCHED.length + MARKED.length + LINKS.length + DIRECTIONS.length).toBeGreaterThanOrEqual(200);
  });

  it.each(UNTOUCHED.map((text) => [text]))("survives: %s", (text) => {
    expect(parseMarkup(text)).toEqual({ text: text.trim(), entities: [] });
    expect(parseMarkup(toMarkup({ text, entities: [] })).text).toBe(text.trim());
  });

  it.each(MARKED)("is marked: %s", (typed, text, ...marks) => {
    const got = parseMarkup(typed);
    expect(got.text).toBe(text);
    expect(got.entities.map(({ type, offset, length }) => [type, text.slice(offset, offset + length)])).toEqual(marks);
    // And it can be had back for editing.
    expect(parseMarkup(toMarkup(got))).toEqual(got);
  });

  it.each(LINKS)("leads somewhere: %s", (typed, ...words) => {
    expect(recognise(typed).filter(({ kind }) => kind !== "number").map(({ from, to }) => typed.slice(from, to))).toEqual(words);
  });

  it.each(DIRECTIONS)("has a direction: %s", (text, wanted) => {
    for (const chat of ["rtl", "ltr"] as const) expect(paragraphDirection(text, chat)).toBe(wanted === "chat" ? chat : wanted);
  });
});
