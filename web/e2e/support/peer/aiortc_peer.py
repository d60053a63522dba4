"""A person whose calls are carried by aiortc, another implementation of the same standards, and who speaks to the server by
docs/PROTOCOL.md alone. `aiortc_peer.py URL TOKEN callee`, or `caller USER_ID`. Writes a line of JSON for what happens."""

import asyncio, fractions, hashlib, json, math, re, secrets, sys, uuid

import av, numpy, websockets
from aiortc import MediaStreamTrack, RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError
from aiortc.sdp import candidate_from_sdp

RATE, SAMPLES = 48_000, 960


def say(**what):
    print(json.dumps(what), flush=True)


class Tone(MediaStreamTrack):
    """Middle A."""

    kind = "audio"

    def __init__(self):
        super().__init__()
        self.at, self.began = 0, None

    async def recv(self):
        loop = asyncio.get_running_loop()
        self.began = self.began or loop.time()
        await asyncio.sleep(max(0, self.began + self.at / RATE - loop.time()))
        wave = [int(8_000 * math.sin(2 * math.pi * 440 * (self.at + i) / RATE)) for i in range(SAMPLES)]
        frame = av.AudioFrame.from_ndarray(numpy.array([wave], dtype="int16"), format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = RATE, self.at, fractions.Fraction(1, RATE)
        self.at += SAMPLES
        return frame


def fingerprint(sdp):
    found = {it.replace(":", "").lower() for it in re.findall(r"a=fingerprint:sha-256 ([0-9A-Fa-f:]+)", sdp)}
    assert len(found) == 1, found
    return bytes.fromhex(found.pop())


def digest(label, *parts):
    return hashlib.sha256(label.encode() + b"\0" + b"".join(parts)).digest()


class Peer:
    def __init__(self, socket):
        self.socket, self.id, self.replies, self.call, self.held = socket, 0, {}, None, []
        self.pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.pc.addTrack(Tone())
        self.pc.on("track", lambda track: asyncio.ensure_future(self.hear(track)))
        self.pc.on("connectionstatechange", lambda: asyncio.ensure_future(self.moved()))
        self.nonce = secrets.token_bytes(32)

    async def ask(self, method, **params):
        self.id += 1
        self.replies[self.id] = reply = asyncio.get_running_loop().create_future()
        await self.socket.send(json.dumps({"id": self.id, "method": method, "params": params}))
        frame = await reply
        if "error" in frame:
            say(refused=method, asked=params.get("ask"), error=frame["error"])
        return frame.get("ok")

    async def hear(self, track):
        loud = 0
        while True:
            try:
                frame = await track.recv()
            except MediaStreamError:
                return  # It ended.
            loud += int(abs(frame.to_ndarray().astype("int32")).max() > 300)
            if loud == 25:
                say(hears=True)

    async def moved(self):
        say(connection=self.pc.connectionState)
        if self.pc.connectionState == "connected":
            await self.ask("call_ask", call_id=self.call, ask="media", flows=True)

    async def candidates(self):
        lines = re.findall(r"a=(candidate:[^\r\n]+)", self.pc.localDescription.sdp)
        await self.ask("call_ask", call_id=self.call, ask="candidates", generation=1, candidates=lines[:16])

    async def take(self, lines):
        for line in lines:
            candidate = candidate_from_sdp(line.removeprefix("candidate:"))
            candidate.sdpMid = "0"
            await self.pc.addIceCandidate(candidate)

    def agree(self, caller, callee, caller_nonce, callee_nonce):
        told = digest("chapar sas v1 emoji", uuid.UUID(self.call).bytes, caller, callee, caller_nonce, callee_nonce)
        bits = int.from_bytes(told[:3], "big")
        say(emoji=[(bits >> shift) & 63 for shift in (18, 12, 6, 0)])

    async def invite(self, user):
        self.call = str(uuid.uuid4())
        await self.pc.setLocalDescription(await self.pc.createOffer())
        sdp = self.pc.localDescription.sdp
        self.mine = fingerprint(sdp)
        commitment = digest("chapar sas v1 commitment", self.mine, self.nonce).hex()
        await self.ask("call_invite", call_id=self.call, user_id=user, media="voice", relay_only=False, offer={"sdp": sdp, "commitment": commitment})

    async def signal(self, data):
        kind = data["kind"]
        if kind == "offer":
            self.offer = data
        elif kind == "answer":
            await self.pc.setRemoteDescription(RTCSessionDescription(data["sdp"], "answer"))
            await self.candidates()
            await self.ask("call_ask", call_id=self.call, ask="reveal", generation=1, nonce=self.nonce.hex())
            self.agree(self.mine, fingerprint(data["sdp"]), self.nonce, bytes.fromhex(data["nonce"]))
        elif kind == "candidates" and self.pc.remoteDescription is None:
            self.held += data["candidates"]
        elif kind == "candidates":
            await self.take(data["candidates"])
        elif kind == "reveal":
            nonce, theirs = bytes.fromhex(data["nonce"]), fingerprint(self.offer["sdp"])
            assert digest("chapar sas v1 commitment", theirs, nonce).hex() == self.offer["commitment"], "another key than it committed to"
            self.agree(theirs, self.mine, nonce, self.nonce)

    async def rings(self):
        await self.ask("call_ask", call_id=self.call, ask="ringing")
        while not hasattr(self, "offer"):
            await asyncio.sleep(0.05)
        await self.pc.setRemoteDescription(RTCSessionDescription(self.offer["sdp"], "offer"))
        await self.pc.setLocalDescription(await self.pc.createAnswer())
        sdp = self.pc.localDescription.sdp
        self.mine = fingerprint(sdp)
        await self.ask("call_ask", call_id=self.call, ask="accept", media="voice", relay_only=False, answer={"sdp": sdp, "nonce": self.nonce.hex()})
        await self.take(self.held)
        await self.candidates()

    async def run(self):
        async for text in self.socket:
            frame = json.loads(text)
            if frame.get("id") is not None:
                self.replies.pop(frame["id"]).set_result(frame)
            elif frame["event"] == "call":
                data = frame["data"]
                say(standing=data["standing"], phase=data.get("phase"), reason=data.get("reason"))
                if data["standing"] == "ringing" and self.call is None:
                    self.call = data["call_id"]
                    asyncio.ensure_future(self.rings())
                if data["standing"] == "ended":
                    return
            elif frame["event"] == "call_signal":
                asyncio.ensure_future(self.signal(frame["data"]))


async def main(url, token, role, user=None):
    async with websockets.connect(url.replace("http", "ws", 1) + "/ws", subprotocols=["chapar.v1"]) as socket:
        peer = Peer(socket)
        running = asyncio.ensure_future(peer.run())
        await peer.ask("hello", token=token)
        say(ready=True)
        if role == "caller":
            await peer.invite(int(user))
        try:
            await asyncio.wait_for(running, 90)
        finally:
            await peer.pc.close()


asyncio.run(main(*sys.argv[1:]))
