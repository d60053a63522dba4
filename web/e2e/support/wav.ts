// Sound in WAV files: 16-bit PCM.

const RATE = 48_000;

/** A tone of so many hertz and seconds, mono, at half of full scale. */
export const tone = (hertz: number, seconds: number): Buffer => wav(seconds, (at) => Math.sin(2 * Math.PI * hertz * at) / 2);

/** As loud as somebody who speaks and takes a breath, without words. */
export const murmur = (seconds: number): Buffer =>
  wav(seconds, (at) => Math.sin(2 * Math.PI * (140 + 20 * Math.sin(at * 5)) * at) * Math.abs(Math.sin(at * 7.3)) * (0.3 + 0.7 * Math.abs(Math.sin(at * 2.1))) * (Math.sin(at * 1.7) > -0.8 ? 0.8 : 0.02));

/** From a rule: seconds to loudness, -1 to 1. */
function wav(seconds: number, sound: (at: number) => number): Buffer {
  const count = RATE * seconds;
  const data = Buffer.alloc(count * 2);
  for (let at = 0; at < count; at++) data.writeInt16LE(Math.round(sound(at / RATE) * 32_767), at * 2);
  const head = Buffer.alloc(44);
  head.write('RIFF', 0);
  head.writeUInt32LE(36 + data.length, 4);
  head.write('WAVEfmt ', 8);
  head.writeUInt32LE(16, 16);
  head.writeUInt16LE(1, 20);
  head.writeUInt16LE(1, 22);
  head.writeUInt32LE(RATE, 24);
  head.writeUInt32LE(RATE * 2, 28);
  head.writeUInt16LE(2, 32);
  head.writeUInt16LE(16, 34);
  head.write('data', 36);
  head.writeUInt32LE(data.length, 40);
  return Buffer.concat([head, data]);
}

/** The loudness (RMS, 0 to 1) of each step of so many milliseconds. */
export function loudness(file: Buffer, step: number): number[] {
  const channels = file.readUInt16LE(22);
  const rate = file.readUInt32LE(24);
  const bits = file.readUInt16LE(34);
  if (bits !== 16) throw new Error(`${bits} bits in a sample, not 16`);
  const start = file.indexOf('data') + 8;
  const width = Math.round((rate * channels * step) / 1000);
  const steps: number[] = [];
  for (let from = start; from + width * 2 <= file.length; from += width * 2) {
    let sum = 0;
    for (let at = 0; at < width; at++) sum += (file.readInt16LE(from + at * 2) / 32_768) ** 2;
    steps.push(Math.sqrt(sum / width));
  }
  return steps;
}
