// Letters and signs that show nothing: fillers of Hangul, the empty pattern of Braille.
const BLANK = /[\u115f\u1160\u3164\uffa0\u2800]/gu;
const OWN = /[\p{L}\p{N}\p{P}\p{S}\p{Co}]/u;

/** Whether a text shows anything at all: the rule by which the server takes it. */
export const shows = (text: string): boolean => OWN.test(text.replace(BLANK, ""));
