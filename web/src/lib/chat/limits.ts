/** Limits of the protocol that the screens show. */
export const LIMITS = { textUnits: 4096, quoteUnits: 512, title: 128, bodyBytes: 32 * 1024 } as const;

/** Whether a body is larger than a message may be, with all its marks and links: its text may be short all the same. */
export function tooLarge(body: { text: string; entities?: readonly unknown[] }): boolean {
  // Six bytes are the most that JSON makes of one of UTF-8: no plain text of legal length comes near.
  if (!body.entities?.length && body.text.length <= LIMITS.textUnits) return false;
  return new TextEncoder().encode(JSON.stringify(body)).length > LIMITS.bodyBytes;
}
