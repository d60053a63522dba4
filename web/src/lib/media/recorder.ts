// What recording a voice and recording a film have in common.

/** Opens microphone, or camera and microphone. Rejects as the browser does, or with `NotSupportedError`. */
export async function open(video: MediaTrackConstraints | false): Promise<MediaStream> {
  if (typeof MediaRecorder === 'undefined' || !navigator.mediaDevices?.getUserMedia) throw new DOMException('no recorder', 'NotSupportedError');
  return navigator.mediaDevices.getUserMedia({ video, audio: { channelCount: 1, echoCancellation: true, noiseSuppression: true, autoGainControl: true } });
}

/** A recorder that writes the first of some types that the browser can. */
export function recorderOf(stream: MediaStream, types: readonly string[], bits: MediaRecorderOptions): MediaRecorder {
  const mimeType = types.find((it) => MediaRecorder.isTypeSupported(it));
  return new MediaRecorder(stream, { ...bits, ...(mimeType && { mimeType }) });
}

/** Ends it, if it has not ended, and waits for its last part. */
export async function finish(recorder: MediaRecorder | undefined): Promise<void> {
  if (!recorder || recorder.state === 'inactive') return;
  await new Promise<void>((resolve) => {
    recorder.addEventListener('stop', () => resolve(), { once: true });
    recorder.stop();
  });
}

/** What it writes, without the codecs. */
export const typeOf = ({ mimeType }: MediaRecorder, otherwise: string): string => (mimeType || otherwise).split(';')[0] ?? otherwise;

/** Turns microphone and camera off. */
export function stopAll(stream: MediaStream): void {
  for (const track of stream.getTracks()) track.stop();
}
