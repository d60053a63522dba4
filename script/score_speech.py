"""Scores recordings of calls against the speech that was spoken: PESQ wideband (ITU-T P.862.2), the mean over segments.

    score_speech.py REFERENCE.wav RECORDING.wav...
    score_speech.py --join REFERENCE.wav PHRASE.wav...     makes a reference of 48 kHz from phrases

Needs numpy, scipy and pesq. The recording holds the reference again and again; each repetition is found by correlation and
scored in pieces of 8 seconds, as the measure wants them. Prints a line of JSON for each recording.
"""

import json
import sys

import numpy
from pesq import NoUtterancesError, pesq
from scipy.io import wavfile
from scipy.signal import correlate, resample_poly

RATE = 16_000
PIECE = 8 * RATE


def read(path):
    """One channel at 16 kHz, as floats."""
    rate, samples = wavfile.read(path)
    samples = samples.astype(numpy.float64)
    if samples.ndim > 1:
        samples = samples.mean(axis=1)
    return resample_poly(samples, RATE, rate) if rate != RATE else samples


def find(piece, recording, near):
    """Where the piece begins in the recording, at most a second from `near`, and how well it fits."""
    low = max(0, near - RATE)
    window = recording[low : near + len(piece) + RATE]
    if len(window) < len(piece):
        return None
    fit = correlate(window, piece, mode="valid", method="fft")
    return low + int(numpy.argmax(fit))


def scores(reference, recording):
    """PESQ of each piece of each repetition that the recording holds whole."""
    # The first repetition is looked for everywhere: nobody knows when the call began.
    begin = int(numpy.argmax(correlate(recording[: 3 * len(reference)], reference[:PIECE], mode="valid", method="fft")))
    begin %= len(reference)
    result = []
    for repetition in range(begin - len(reference), len(recording), len(reference)):
        for at in range(0, len(reference) - PIECE + 1, PIECE):
            near = repetition + at
            piece = reference[at : at + PIECE]
            if near < 0:
                continue
            found = find(piece, recording, near)
            if found is None:
                continue
            try:
                result.append(float(pesq(RATE, piece, recording[found : found + PIECE], "wb")))
            except NoUtterancesError:
                continue
    return result


def join(path, phrases):
    """Phrases with pauses between them, in whole pieces of 8 seconds."""
    rate = 48_000
    parts = []
    for phrase in phrases:
        had, samples = wavfile.read(phrase)
        samples = samples.astype(numpy.float64)
        if samples.ndim > 1:
            samples = samples.mean(axis=1)
        parts += [resample_poly(samples, rate, had) if had != rate else samples, numpy.zeros(rate // 4)]
    whole = numpy.concatenate(parts)
    whole = numpy.concatenate([whole, numpy.zeros(-len(whole) % (8 * rate))])
    wavfile.write(path, rate, (whole / numpy.abs(whole).max() * 20_000).astype(numpy.int16))


def main():
    if sys.argv[1] == "--join":
        join(sys.argv[2], sys.argv[3:])
        return
    reference = read(sys.argv[1])
    for path in sys.argv[2:]:
        each = scores(reference, read(path))
        mean = round(sum(each) / len(each), 3) if each else None
        print(json.dumps({"recording": path, "pesq_wb": mean, "pieces": len(each), "least": round(min(each), 3) if each else None}))


if __name__ == "__main__":
    main()
