#!/usr/bin/env python3
"""One thread, f64, n x n: matmesh's kernels beside NumPy's OpenBLAS, in one run.

Each round times every contender once, in turn, so that a slow moment of the machine
falls on all of them. Prints medians and the ratio of the medians, and the same of the
fastest rounds, which is what an otherwise idle core does.

    python3 bench/kernels/native_times.py [n ...]        (default 512 1000 2000)
"""
import os

os.environ["OPENBLAS_NUM_THREADS"] = "1"

import pathlib
import statistics
import subprocess
import sys
import time

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[2]
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))


def main() -> None:
    sides = [int(word) for word in sys.argv[1:]] or [512, 1000, 2000]
    build = ["cargo", "build", "-q", "--release", "-p", "kernel", "--example", "kernel_times"]
    subprocess.run(build, cwd=ROOT, check=True)
    kernels = subprocess.Popen(
        [TARGET / "release/examples/kernel_times"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )
    instructions = kernels.stdout.readline().strip()
    print(f"NumPy {np.__version__}, matmesh with {instructions}, 1 thread; medians")

    def ask(line: str) -> float:
        kernels.stdin.write(line + "\n")
        kernels.stdin.flush()
        return float(kernels.stdout.readline())

    for side in sides:
        report(side, ask)
    kernels.stdin.close()
    kernels.wait()


def report(side: int, ask) -> None:
    generator = np.random.Generator(np.random.Philox(key=1))
    left, right = generator.random((side, side)), generator.random((side, side))
    product = np.empty((side, side))
    operations = 2 * side**3
    block_rows = 64 if side > 1024 else -(-side // max(16, operations // 100_000_000))

    def time_numpy() -> float:
        start = time.perf_counter()
        np.matmul(left, right, out=product)
        return time.perf_counter() - start

    contenders = {
        "OpenBLAS": time_numpy,
        "reproducible": lambda: ask(f"reproducible {side}"),
        "fast": lambda: ask(f"fast {side}"),
        f"reproducible, blocks of {block_rows} rows": lambda: ask(f"reproducible {side} {block_rows}"),
    }
    rounds = max(9, min(61, int(4e10 / operations)))
    times = {name: [] for name in contenders}
    for number in range(rounds + 1):
        for name, measure in contenders.items():
            seconds = measure()
            if number > 0:  # the first round warms caches and pages
                times[name].append(seconds)
    base, best_base = statistics.median(times["OpenBLAS"]), min(times["OpenBLAS"])
    print(f"n = {side}, {rounds} rounds")
    for name, values in times.items():
        median = statistics.median(values)
        rate, best_rate = (operations / seconds / 1e9 for seconds in (median, min(values)))
        print(f"  {name:34} {median * 1e3:9.2f} ms {rate:6.1f} GFLOP/s {base / median:5.2f} x OpenBLAS"
              f"   fastest round {best_rate:6.1f} GFLOP/s {best_base / min(values):5.2f} x")


main()
