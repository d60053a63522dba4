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
  open("audio", { echoCancellation: true, noiseSuppression: true, autoGainControl: true }, deviceId);

/** Opens the camera. Rejects with `media_denied` or `media_missing`. */
export const openCamera = (deviceId?: string): Promise<MediaStreamTrack> =>
  open("video", { width: { ideal: 1280 }, height: { ideal: 720 }, frameRate: { ideal: 30, max: 30 }, ...(deviceId === undefined && { facingMode: "user" }) }, deviceId);

/** The chosen device; the system's own when that one is not there. */
async function open(kind: "audio" | "video", wanted: MediaTrackConstraints, deviceId: string | undefined): Promise<MediaStreamTrack> {
  const what = kind === "audio" ? "microphone" : "camera";
  // Missing in pages that are not served securely.
  const devices = navigator.mediaDevices as MediaDevices | undefined;
  if (!devices) throw new ChaparError("media_missing", `no ${what}: the page is not served over https`);
  // As a wish only, `ideal`, Chromium gives the microphone that is open already.
  for (const each of deviceId === undefined ? [wanted] : [{ ...wanted, deviceId: { exact: deviceId } }, wanted]) {
    try {
      const stream = await devices.getUserMedia({ [kind]: each });
      const track = stream.getTracks()[0];
      if (track) return track;
    } catch (error) {
      const name = (error as { name?: string }).name ?? "";
      if (name === "NotAllowedError" || name === "SecurityError") throw new ChaparError("media_denied", `${what} refused`);
    }
  }
  throw new ChaparError("media_missing", `no ${what}, or another program holds it`);
}
