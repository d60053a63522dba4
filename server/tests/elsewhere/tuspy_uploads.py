"""Python's tus client (tuspy), unmodified, against the real server: whole, in chunks, gone on with, with checksums, after a kill.

usage: tuspy_uploads.py PATH-OF-CHAPAR
"""

import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request

from tusclient import client


class Server:
    def __init__(self, binary):
        self.binary, self.folder, self.port = binary, tempfile.mkdtemp(prefix="chapar-tuspy-"), 0
        self.start()

    def start(self):
        arguments = [self.binary, "--listen", f"127.0.0.1:{self.port}", "--data-dir", self.folder]
        self.process = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        for line in self.process.stdout:
            found = re.search(r"listening on (http://127\.0\.0\.1:(\d+))", line)
            if found:
                self.url, self.port = found[1], int(found[2])
                return
        sys.exit("chapar does not start")

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self):
        self.process.terminate()
        self.process.wait(60)

    def ask(self, path, body, token=None):
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        request = urllib.request.Request(self.url + path, json.dumps(body).encode(), headers)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)


def ready(server, token, url):
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        info = server.ask("/api/v1/call/get_file", {"file_id": url.rsplit("/", 1)[1]}, token)
        if info["state"] == "ready":
            return info
        time.sleep(0.05)
    sys.exit(f"never ready: {info}")


def main():
    server = Server(sys.argv[1])
    try:
        handle = f"tuspy_{os.getpid()}"
        token = server.ask("/api/v1/register", {"handle": handle, "password": "a long password"})["token"]
        content = os.urandom(3_000_000)
        path = os.path.join(server.folder, "upload.bin")
        with open(path, "wb") as file:
            file.write(content)
        tus = client.TusClient(server.url + "/files", headers={"Authorization": f"Bearer {token}"})
        metadata = {"kind": "document", "filename": "نامه.bin"}

        whole = tus.uploader(path, metadata=metadata)
        whole.upload()
        info = ready(server, token, whole.url)
        assert (info["size"], info["name"]) == (len(content), "نامه.bin"), info
        print("whole: ok")

        checked = tus.uploader(path, chunk_size=400_000, metadata=metadata, upload_checksum=True)
        checked.upload()
        assert ready(server, token, checked.url)["received"] == len(content)
        print("in chunks, each with its SHA-1: ok")

        begun = tus.uploader(path, chunk_size=300_000, metadata=metadata)
        begun.upload(stop_at=900_000)
        server.kill()
        server.start()
        gone_on = tus.uploader(path, url=begun.url, chunk_size=700_000, retries=10, retry_delay=1)
        assert gone_on.offset >= 900_000, gone_on.offset
        gone_on.upload()
        assert ready(server, token, begun.url)["size"] == len(content)
        print("gone on with after a kill of the server: ok")
    finally:
        server.stop()
    objects = [os.path.join(root, name) for root, _, names in os.walk(server.folder + "/files/objects") for name in names]
    hashes = {hashlib.sha256(open(name, "rb").read()).hexdigest() for name in objects}
    assert hashes == {hashlib.sha256(content).hexdigest()}, "the same content three times is stored once, and as it was sent"
    print("stored once, every byte as it was: ok")


main()
