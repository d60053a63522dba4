// Microphone, camera and speaker.

import { ChaparError } from "../error.js";

/** Which devices the person chose; the system's own unless given. */
export interface Devices {
  microphone?: string | undefined;
  camera?: string | undefined;
  speaker?: string | undefined;
}

/** Opens the microphone. Rejects with `media_denied` or `media_missing`. */
export const openMicrophone = (deviceId?: string): Promise<MediaStreamTrack> =>
  openTrack({
    audio: { echoCancellation: true, noiseSuppression: true, autoGainControl: true, ...(deviceId !== undefined && { deviceId: { ideal: deviceId } }) },
  });

/** Opens the camera. Rejects with `media_denied` or `media_missing`. */
export const openCamera = (deviceId?: string): Promise<MediaStreamTrack> =>
  openTrack({
    video: {
      width: { ideal: 1280 },
      height: { ideal: 720 },
      frameRate: { ideal: 30, max: 30 },
      ...(deviceId === undefined ? { facingMode: "user" } : { deviceId: { ideal: deviceId } }),
    },
  });

async function openTrack(constraints: MediaStreamConstraints): Promise<MediaStreamTrack> {
  const what = constraints.audio ? "microphone" : "camera";
  // Missing in pages that are not served securely.
  const devices = navigator.mediaDevices as MediaDevices | undefined;
  if (!devices) throw new ChaparError("media_missing", `no ${what}: the page is not served over https`);
  try {
    const stream = await devices.getUserMedia(constraints);
    const track = stream.getTracks()[0];
    if (track) return track;
  } catch (error) {
    const name = (error as { name?: string }).name ?? "";
    if (name === "NotAllowedError" || name === "SecurityError") throw new ChaparError("media_denied", `${what} refused`);
  }
  throw new ChaparError("media_missing", `no ${what}, or another program holds it`);
}
