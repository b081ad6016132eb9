#!/usr/bin/env python3
"""C = A · B of two n x n matrices of f64, from the caller's memory to the caller's memory, in one run:

matmesh    two nodes with one thread each: two .npy files sent by HTTP, C fetched as .npy
NumPy      np.matmul with two threads in the caller's process
Dask       distributed, two worker processes with one thread each
Ray        two worker processes with one thread each

Each round times every contender once, in turn. A ratio is the median of the ratios of the rounds,
with the middle half of them. What is not equal stands in README.md.

    python3 bench/jobs/job_times.py [--backups N] [--sync always|alone|never] [--arithmetic reproducible|fast]
                                    [--seeded] [--rounds N] [--only NAME ...] [n ...]
"""
import argparse
import os
import statistics
import time

os.environ["OPENBLAS_NUM_THREADS"] = "2"

import numpy as np

from nodes import Mesh, npy
from peers import DaskPeer, RayPeer


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("sides", type=int, nargs="*", default=[2000, 4000])
    parser.add_argument("--backups", type=int, default=0)
    parser.add_argument("--sync", default="alone")
    parser.add_argument("--arithmetic", choices=["reproducible", "fast"], default="reproducible")
    parser.add_argument("--seeded", action="store_true")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", nargs="*", default=["matmesh", "NumPy", "Dask", "Ray"])
    parser.add_argument("--steps", action="store_true", help="where matmesh's time went")
    told = parser.parse_args()
    count = max(2, told.backups + 1)
    options = ["--num-backup-nodes", str(told.backups), "--sync", told.sync]
    peers = {"Dask": DaskPeer, "Ray": RayPeer}
    started = {name: peers[name]() for name in told.only if name in peers and not told.seeded}
    with Mesh(count, 2, *options) as mesh:
        for side in told.sides:
            report(side, told, mesh, started)
    for peer in started.values():
        peer.stop()


def report(side: int, told: argparse.Namespace, mesh: Mesh, peers: dict) -> None:
    make = lambda seed: np.random.Generator(np.random.Philox(key=seed)).random((side, side))
    a, b = make(1), make(2)
    files = npy(a), npy(b)
    seeded = [{"rows": side, "cols": side, "random": {"seed": seed}} for seed in (1, 2)]
    expected = a @ b
    steps = []

    def matmesh() -> np.ndarray:
        submit, inputs = (mesh.client.submit, seeded) if told.seeded else (mesh.client.submit_files, files)
        c, spent = mesh.client.in_steps(lambda: submit(*inputs, {"arithmetic": told.arithmetic}))
        steps.append(spent)
        return c

    contenders = {
        "matmesh": matmesh,
        "NumPy": lambda: make(1) @ make(2) if told.seeded else a @ b,
        **{name: (lambda peer=peer: peer.multiply(a, b)) for name, peer in peers.items()},
    }
    contenders = {name: run for name, run in contenders.items() if name in told.only}
    times = {name: [] for name in contenders}
    for number in range(told.rounds + 1):
        for name, run in contenders.items():
            start = time.perf_counter()
            c = run()
            if number > 0:  # the first round warms everybody up
                times[name].append(time.perf_counter() - start)
            assert np.allclose(c, expected), name
            del c
    kind = "seeded" if told.seeded else "from .npy to .npy"
    print(f"n = {side}, {kind}, {told.arithmetic}, {told.rounds} rounds, {told.backups} backups, --sync {told.sync}")
    for name, values in times.items():
        ratios = [peer / ours for peer, ours in zip(values, times["matmesh"])] if "matmesh" in times else []
        spread = "".join(f"{value:7.2f}" for value in statistics.quantiles(ratios, n=4)) if ratios else ""
        low, middle, high = statistics.quantiles(values, n=4)
        print(f"  {name:8} {middle * 1e3:9.1f} ms ({low * 1e3:.0f} to {high * 1e3:.0f}); of matmesh's time, quartiles:{spread}")
    if told.steps and steps:
        middle = [statistics.median(step) * 1e3 for step in zip(*steps[1:])]
        print("  matmesh: sending %.0f ms, computing %.0f ms, fetching %.0f ms" % tuple(middle))


if __name__ == "__main__":  # Dask and Ray start workers that import this file
    main()
