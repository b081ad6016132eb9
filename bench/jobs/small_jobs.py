#!/usr/bin/env python3
"""Small products, from the caller's memory to the caller's memory, in one run:

matmesh    four nodes, three backups for every job, .npy files by HTTP: submit, wait, fetch
Dask       distributed, two worker processes with one thread each
Ray        two worker processes with one thread each

First how long one caller waits for one product, then how many products of 50 x 50 a second 64 callers
get who each ask for the next when they have the last. What is not equal stands in README.md.

    python3 bench/jobs/small_jobs.py [--backups N] [--sync always|alone|never] [--spread all|fastest]
                                     [--rounds N] [--seconds S] [--only NAME ...]
"""
import argparse
import asyncio
import os
import statistics
import time

os.environ["OPENBLAS_NUM_THREADS"] = "1"

import numpy as np

from nodes import Mesh, form, npy
from peers import DaskPeer, RayPeer

SIDES = (2, 100)
MANY_SIDE = 50
CALLERS = 64


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--backups", type=int, default=3)
    parser.add_argument("--sync", default="alone")
    parser.add_argument("--spread", choices=["all", "fastest"], default="all")
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--only", nargs="*", default=["matmesh", "Dask", "Ray"])
    told = parser.parse_args()
    peers = {"Dask": DaskPeer, "Ray": RayPeer}
    started = {name: peers[name]() for name in told.only if name in peers}
    options = ["--num-backup-nodes", str(told.backups), "--sync", told.sync]
    with Mesh(4, 4, *options) as mesh:
        for side in SIDES:
            report_waits(side, told, mesh, started)
        report_rates(told, mesh, started)
    for peer in started.values():
        peer.stop()


def report_waits(side: int, told: argparse.Namespace, mesh: Mesh, peers: dict) -> None:
    a, b = factors(side)
    expected = a @ b
    steps = []

    def matmesh() -> np.ndarray:
        c, spent = mesh.client.in_steps(lambda: mesh.client.submit_files(npy(a), npy(b), {"spread": told.spread}))
        steps.append(spent)
        return c

    contenders = {"matmesh": matmesh} if "matmesh" in told.only else {}
    contenders |= {name: (lambda peer=peer: peer.multiply_small(a, b)) for name, peer in peers.items()}
    times = {name: [] for name in contenders}
    warm = told.rounds // 10
    for number in range(-warm, told.rounds):
        for name, run in contenders.items():
            start = time.perf_counter()
            c = run()
            if number >= 0:
                times[name].append(time.perf_counter() - start)
            assert np.allclose(c, expected), name
    print(f"{side} x {side}, {told.rounds} rounds, {told.backups} backups, --sync {told.sync}")
    for name, values in times.items():
        print(f"  {name:8} p50 {percentile(values, 50):8.2f} ms   p99 {percentile(values, 99):8.2f} ms")
    if steps:
        middle = [statistics.median(step) * 1e3 for step in zip(*steps[warm:])]
        print("  matmesh: submitting %.2f ms, waiting %.2f ms, fetching %.2f ms" % tuple(middle))


def report_rates(told: argparse.Namespace, mesh: Mesh, peers: dict) -> None:
    a, b = factors(MANY_SIDE)
    expected = a @ b
    print(f"{MANY_SIDE} x {MANY_SIDE}, {CALLERS} callers, {told.seconds:g} s each")
    if "matmesh" in told.only:
        submission = form(npy(a), npy(b), {"spread": told.spread})
        ports = [node.port for node in mesh.nodes]
        count = asyncio.run(ask_for(told.seconds, ports, submission, expected))
        print(f"  matmesh  {count / told.seconds:8.0f} products/s")
    for name, peer in peers.items():
        print(f"  {name:8} {peer.rate(a, b, CALLERS, told.seconds):8.0f} products/s")


async def ask_for(seconds: float, ports: list[int], submission: tuple[str, bytes], expected: np.ndarray) -> int:
    """How many products all callers get in that time."""
    until = time.monotonic() + seconds
    counts = [call_for(until, ports[number % len(ports)], submission, expected) for number in range(CALLERS)]
    return sum(await asyncio.gather(*counts))


async def call_for(until: float, port: int, submission: tuple[str, bytes], expected: np.ndarray) -> int:
    """One caller with one connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)

    async def ask(head: str, body: bytes = b"") -> tuple[dict[str, str], bytes]:
        writer.write(f"{head} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n".encode() + body)
        status, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in lines if line)
        if "content-length" in headers:
            text = await reader.readexactly(int(headers["content-length"]))
        else:
            text = b"".join([piece async for piece in pieces(reader)])
        if not status.split()[1].startswith("2"):
            raise RuntimeError(f"{head}: {status} {text.decode()}")
        return headers, text

    kind, content = submission
    posted = f"Content-Type: {kind}\r\nContent-Length: {len(content)}\r\n\r\n".encode() + content
    count = 0
    while time.monotonic() < until:
        headers, _ = await ask("POST /api/v1/jobs", posted)
        await ask(f"GET {headers['location']}?wait=30", b"\r\n")
        _, c = await ask(f"GET {headers['location']}/result?format=npy", b"\r\n")
        assert np.allclose(np.frombuffer(c[-expected.nbytes:]), expected.ravel())
        count += 1
    writer.close()
    return count


async def pieces(reader: asyncio.StreamReader):
    """A body of unknown length (RFC 9112, 7.1)."""
    while True:
        length = int(await reader.readline(), 16)
        piece = await reader.readexactly(length)
        await reader.readexactly(2)
        if not length:
            return
        yield piece


def factors(side: int) -> list[np.ndarray]:
    return [np.random.Generator(np.random.Philox(key=seed)).random((side, side)) for seed in (1, 2)]


def percentile(values: list[float], percent: int) -> float:
    """In milliseconds."""
    return float(np.percentile(values, percent)) * 1e3


if __name__ == "__main__":  # Dask and Ray start workers that import this file
    main()
