import { test } from 'vitest';
import { answer, hears, inCall, ring, twoWhoCall } from './support/calls';
import { WORDS } from './support/words';

const { fa, en } = WORDS;

test('a device that hears nothing says so itself, whatever the server last said', async () => {
  const { hers, his } = await twoWhoCall();
  await ring(hers, 'John');
  await answer(his, 'مینا');
  await Promise.all([hears(hers), hears(his)]);
  // He sends nothing any more, and nobody tells her: her side is connected, the server calls the call active.
  await his.page.evaluate(() => {
    for (const peer of (window as unknown as { peers: RTCPeerConnection[] }).peers) {
      for (const sender of peer.getSenders()) void sender.replaceTrack(null);
    }
  });
  await inCall(hers, 'John').getByText(fa.call.deaf).waitFor();
  await inCall(hers, 'John').getByText(fa.call.quality.lost).waitFor();

  // And it goes when sound comes again; a microphone that was closed with intent is another thing.
  await his.page.evaluate(() => {
    const { peers, tracks } = window as unknown as { peers: RTCPeerConnection[]; tracks: MediaStreamTrack[] };
    for (const peer of peers) void peer.getSenders()[0]?.replaceTrack(tracks.find((track) => track.readyState === 'live') ?? null);
  });
  await inCall(hers, 'John').getByText(fa.call.deaf).waitFor({ state: 'detached' });
  await inCall(his, 'مینا').getByRole('button', { name: en.call.mute, exact: true }).click();
  await inCall(hers, 'John').getByText(fa.call.otherMuted).waitFor();
});
