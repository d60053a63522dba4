/** Waits between the tries to load a part of the app, in milliseconds. */
const WAITS = [300, 1_000, 3_000];

/** Loads a part of the app; a network that fails for a moment costs a moment. */
export async function part<T>(load: () => Promise<T>, wait = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms))): Promise<T> {
  for (const ms of WAITS) {
    try {
      return await load();
    } catch {
      await wait(ms);
    }
  }
  return load();
}
