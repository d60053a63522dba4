/**
 * Sounds of a call, made and not loaded: a ring of two notes for incoming calls, a slow pulse while it rings there, and a
 * falling pair at the end. A browser lets a page sound only after a gesture, so the first tap unlocks it.
 */
let context: AudioContext | undefined;
let stopNow: (() => void) | undefined;

function audio(): AudioContext | undefined {
  if (typeof AudioContext === 'undefined') return undefined;
  context ??= new AudioContext();
  return context;
}

/** Unlocks sound with the first tap or key; call it once. */
export function unlockSound(): void {
  const unlock = (): void => {
    void audio()?.resume();
    removeEventListener('pointerdown', unlock, true);
    removeEventListener('keydown', unlock, true);
  };
  addEventListener('pointerdown', unlock, true);
  addEventListener('keydown', unlock, true);
}

/** Whether a sound would be heard now. */
export const canSound = (): boolean => context?.state === 'running';

function note(at: AudioContext, frequency: number, start: number, length: number, loudness: number): OscillatorNode {
  const oscillator = at.createOscillator();
  const gain = at.createGain();
  oscillator.type = 'triangle';
  oscillator.frequency.value = frequency;
  gain.gain.setValueAtTime(0, start);
  gain.gain.linearRampToValueAtTime(loudness, start + 0.02);
  gain.gain.exponentialRampToValueAtTime(0.001, start + length);
  oscillator.connect(gain).connect(at.destination);
  oscillator.start(start);
  oscillator.stop(start + length);
  return oscillator;
}

/** Repeats a pattern of notes until it is stopped. */
function repeat(every: number, play: (at: AudioContext, start: number) => void, vibration?: number[]): () => void {
  stopNow?.();
  const turn = (): void => {
    const at = audio();
    if (at?.state === 'running') play(at, at.currentTime + 0.02);
    if (vibration) navigator.vibrate?.(vibration);
  };
  turn();
  const timer = setInterval(turn, every);
  const stop = (): void => {
    clearInterval(timer);
    if (vibration) navigator.vibrate?.(0);
    if (stopNow === stop) stopNow = undefined;
  };
  stopNow = stop;
  return stop;
}

/** It rings here. Returns what ends it. */
export function ring(): () => void {
  // Two thirds of a Shur tetrachord, up and down: neither alarm nor lullaby.
  const notes = [523.25, 587.33, 698.46, 587.33, 523.25];
  return repeat(
    3_000,
    (at, start) => notes.forEach((frequency, i) => note(at, frequency, start + i * 0.22, 0.5, 0.25)),
    [400, 200, 400],
  );
}

/** It rings there. Returns what ends it. */
export function ringBack(): () => void {
  return repeat(4_000, (at, start) => {
    note(at, 425, start, 1, 0.06);
  });
}

/** The call ended. */
export function endTone(): void {
  stopNow?.();
  const at = audio();
  if (at?.state !== 'running') return;
  note(at, 440, at.currentTime, 0.2, 0.12);
  note(at, 330, at.currentTime + 0.2, 0.3, 0.12);
}
