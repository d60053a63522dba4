// The elements that play a call, and the speaker that they play at.

export class Player {
  readonly #stream: MediaStream;
  readonly #speaker: () => string | undefined;
  readonly #elements = new Set<HTMLMediaElement>();

  constructor(stream: MediaStream, speaker: () => string | undefined) {
    this.#stream = stream;
    this.#speaker = speaker;
  }

  /** Plays in an element. Returns what ends it. */
  attach(element: HTMLMediaElement): () => void {
    // An element that has nothing to play yet cannot be given a speaker: it is given it again when it plays.
    const speak = (): void => void this.#speakAt(element);
    element.addEventListener("playing", speak);
    speak();
    element.srcObject = this.#stream;
    void element.play().catch(() => {});
    this.#elements.add(element);
    return () => {
      this.#elements.delete(element);
      element.removeEventListener("playing", speak);
      element.srcObject = null;
    };
  }

  /** Another speaker was chosen. */
  async useSpeaker(): Promise<void> {
    await Promise.all([...this.#elements].map((element) => this.#speakAt(element)));
  }

  /** Has an element play at the speaker; at the system's own without one, or where the browser cannot choose. */
  async #speakAt(element: HTMLMediaElement): Promise<void> {
    const speaker = this.#speaker() ?? "";
    const sink = element as HTMLMediaElement & { sinkId?: string; setSinkId?: (id: string) => Promise<void> };
    if (sink.sinkId !== speaker) await sink.setSinkId?.(speaker).catch(() => {});
  }
}
