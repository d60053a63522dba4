/** Limits of the protocol that the screens show. */
export const LIMITS = { textUnits: 4096, title: 128 } as const;
