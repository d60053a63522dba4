/** Probes under way at a time: seven rounds instead of seventeen in a chat of 100,000 messages. */
const PROBES = 4;

/**
 * The first message of a day or, when there is none, the first after it; the last message when the day lies beyond it.
 * `sentAt` tells when the message with a seq was sent; times grow with seq.
 */
export async function findByDate(day: Date, lastSeq: number, sentAt: (seq: number) => Promise<Date | undefined>): Promise<number> {
  let low = 1;
  let high = lastSeq + 1;
  while (low < high) {
    const step = Math.max(1, Math.floor((high - low) / (PROBES + 1)));
    const places = [...new Set(Array.from({ length: PROBES }, (_, i) => Math.min(low + step * (i + 1) - 1, high - 1)))];
    const times = await Promise.all(places.map(sentAt));
    let [nextLow, nextHigh] = [low, high];
    places.forEach((place, i) => {
      const at = times[i];
      if (at !== undefined && at < day) nextLow = Math.max(nextLow, place + 1);
      else nextHigh = Math.min(nextHigh, place);
    });
    [low, high] = [nextLow, nextHigh];
  }
  return Math.min(Math.max(low, 1), Math.max(lastSeq, 1));
}
