"""matmesh nodes on this machine, started and ended by a measurement, and a client of their API.

The client sends and receives bytes as they are: what it costs is the price of a socket.
"""
import http.client
import io
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[2]
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
BOUNDARY = "matmesh-bench"
FORM = f"multipart/form-data; boundary={BOUNDARY}"
MEETING_SECONDS_MAX = 60
BINARY = pathlib.Path(os.environ.get("MATMESH", TARGET / "release/matmesh"))


class Node:
    """A node with a folder of its own below target/, which goes with it."""

    def __init__(self, *options: str, peer: "Node | None" = None) -> None:
        folder = TARGET / "bench/nodes"
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = pathlib.Path(tempfile.mkdtemp(dir=folder))
        link = ["--peer", f"127.0.0.1:{peer.port}"] if peer else []
        self.log = open(self.folder / "log", "wb")
        self.process = subprocess.Popen(
            [BINARY, "serve", "--bind", "127.0.0.1", "--port", "0", "--discovery", "off",
             "--data-dir", self.folder / "data", *link, *options],
            stdout=subprocess.PIPE, stderr=self.log, text=True,
        )
        line = self.process.stdout.readline()  # "matmesh listening on http://ADDRESS:PORT node=…"
        if "http://" not in line:
            self.process.wait()
            raise RuntimeError(f"{BINARY} did not start: {(self.folder / 'log').read_text()}")
        self.id = line.split("node=")[1].split()[0]
        self.port = int(line.split("http://")[1].split()[0].rsplit(":", 1)[1])

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()
        shutil.rmtree(self.folder)


class Mesh:
    """Nodes that all see each other, used as `with Mesh(...) as mesh`. The first `computing` of them
    have one thread, the others none: they only keep copies."""

    def __init__(self, count: int, computing: int, *options: str) -> None:
        self.count, self.computing, self.options, self.nodes = count, computing, options, []

    def __enter__(self) -> "Mesh":
        try:
            for number in range(self.count):
                threads = "1" if number < self.computing else "0"
                peer = self.nodes[0] if self.nodes else None
                self.nodes.append(Node("--threads", threads, *self.options, peer=peer))
            self.client = Client(self.nodes[0].port)
            self.wait_for_all()
        except BaseException:
            self.__exit__()
            raise
        return self

    def wait_for_all(self) -> None:
        """Until the first node sees all others. Nothing tells of nodes, so it is asked, twenty times a second."""
        deadline = time.monotonic() + MEETING_SECONDS_MAX
        while True:
            nodes = self.client.json("GET", "/api/v1/nodes")
            alive = sum(node["status"] == "alive" for node in nodes)
            if alive == self.count:
                return
            if time.monotonic() > deadline:
                raise RuntimeError(f"{alive} of {self.count} nodes have met in {MEETING_SECONDS_MAX} s")
            time.sleep(0.05)

    def __exit__(self, *_) -> None:
        for node in reversed(self.nodes):
            node.stop()


class Client:
    """One kept connection to a node."""

    def __init__(self, port: int) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", port)

    def json(self, method: str, path: str, body: bytes | None = None, kind: str = "application/json"):
        headers = {"Content-Type": kind} if body is not None else {}
        self.connection.request(method, path, body, headers)
        response = self.connection.getresponse()
        text = response.read()
        if response.status >= 300:
            raise RuntimeError(f"{method} {path}: {response.status} {text.decode()}")
        return json.loads(text)

    def submit_files(self, a: memoryview, b: memoryview, options: dict) -> dict:
        """Two .npy files as a form, sent piece by piece."""
        pieces = form_pieces(a, b, options)
        self.connection.putrequest("POST", "/api/v1/jobs")
        self.connection.putheader("Content-Type", FORM)
        self.connection.putheader("Content-Length", str(sum(len(piece) for piece in pieces)))
        self.connection.endheaders()
        for piece in pieces:
            self.connection.send(piece)
        response = self.connection.getresponse()
        text = response.read()
        if response.status != 202:
            raise RuntimeError(f"submitting: {response.status} {text.decode()}")
        return json.loads(text)

    def submit(self, a: dict, b: dict, options: dict) -> dict:
        body = json.dumps({"a": a, "b": b, "options": options}).encode()
        return self.json("POST", "/api/v1/jobs", body)

    def wait(self, job: str) -> dict:
        while True:
            told = self.json("GET", f"/api/v1/jobs/{job}?wait=30")
            if told["status"] == "complete":
                return told
            if told["status"] != "running":
                raise RuntimeError(f"{job}: {told['status']}, {told['error']}")

    def in_steps(self, submit) -> tuple[np.ndarray, tuple[float, float, float]]:
        """C of the job that `submit` starts, and the seconds of submitting, waiting and fetching."""
        times = [time.perf_counter()]
        job = submit()["id"]
        times.append(time.perf_counter())
        self.wait(job)
        times.append(time.perf_counter())
        c = self.result(job)
        times.append(time.perf_counter())
        return c, tuple(after - before for before, after in zip(times, times[1:]))

    def result(self, job: str) -> np.ndarray:
        """C as an array, read into one buffer."""
        self.connection.request("GET", f"/api/v1/jobs/{job}/result?format=npy")
        response = self.connection.getresponse()
        if response.status != 200:
            raise RuntimeError(f"result of {job}: {response.status}")
        assert np.lib.format.read_magic(response) == (1, 0)
        shape, _, kind = np.lib.format.read_array_header_1_0(response)
        matrix = np.empty(shape, kind)
        view, taken = memoryview(matrix).cast("B"), 0
        while taken < len(view):
            count = response.readinto(view[taken:])
            if not count:
                raise RuntimeError(f"result of {job} ended after {taken} bytes")
            taken += count
        response.read()
        return matrix


def form_pieces(a: memoryview, b: memoryview, options: dict) -> list[bytes | memoryview]:
    """A body of type FORM, the files as they are."""
    part = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="%s"'
    kind = '; filename="%s.npy"\r\nContent-Type: application/x-npy\r\n\r\n'
    return [
        (part % "options" + "\r\n\r\n" + json.dumps(options) + "\r\n").encode(),
        (part % "a" + kind % "a").encode(), a,
        ("\r\n" + part % "b" + kind % "b").encode(), b,
        f"\r\n--{BOUNDARY}--\r\n".encode(),
    ]


def form(a: memoryview, b: memoryview, options: dict) -> tuple[str, bytes]:
    """The same in one piece, with its type."""
    return FORM, b"".join(form_pieces(a, b, options))


def npy(matrix: np.ndarray) -> memoryview:
    """The bytes of a .npy file."""
    file = io.BytesIO()
    np.save(file, matrix)
    return file.getbuffer()
