// Sound in WAV files: 16-bit PCM.

const RATE = 48_000;

/** A tone of so many hertz and seconds, mono, at half of full scale. */
export function tone(hertz: number, seconds: number): Buffer {
  const count = RATE * seconds;
  const data = Buffer.alloc(count * 2);
  for (let at = 0; at < count; at++) data.writeInt16LE(Math.round(Math.sin((2 * Math.PI * hertz * at) / RATE) * 16_384), at * 2);
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
