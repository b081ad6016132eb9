#!/usr/bin/env python3
"""One thread, f64, n x n: matmesh's kernels beside NumPy's OpenBLAS and faer, in one run.

Each round times every contender once, in turn, so that a slow moment of the machine
falls on all of them. A ratio is the median of the ratios of the rounds, with the middle half of
them. What the core's pipes allow (the same number of operations between registers) takes its turn
like the others.

    python3 bench/kernels/native_times.py [--no-avx512] [n ...]        (default 256 512 1000 2000)
"""
import os
import sys

os.environ["OPENBLAS_NUM_THREADS"] = "1"
WITHOUT_AVX512 = "--no-avx512" in sys.argv
if WITHOUT_AVX512:
    os.environ["OPENBLAS_CORETYPE"] = "Haswell"  # its kernels with AVX2, also those of AMD

import pathlib
import statistics
import subprocess
import time

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[2]
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
PEERS = ROOT / "bench/kernels/native_peers"


def main() -> None:
    sides = [int(word) for word in sys.argv[1:] if not word.startswith("--")] or [256, 512, 1000, 2000]
    kernels = Program(
        ["cargo", "build", "-q", "--release", "-p", "kernel", "--example", "kernel_times"],
        ROOT, TARGET / "release/examples/kernel_times",
    )
    instructions = kernels.read_line()
    peers = Program(
        ["cargo", "build", "-q", "--release", "--locked", "--target-dir", TARGET / "native_peers"],
        PEERS, TARGET / "native_peers/release/native_peers",
    )
    lanes, suffix = ("256", "@avx2") if WITHOUT_AVX512 or instructions != "AVX-512" else ("512", "")
    written_in = "AVX2" if suffix else instructions
    # It asks the processor itself, and would compute with what is switched off for the others.
    has_faer = not suffix or instructions != "AVX-512"
    print(f"NumPy {np.__version__}, faer {'too' if has_faer else 'left out'}, matmesh with {written_in}, 1 thread")
    for side in sides:
        report(side, kernels, peers, lanes, suffix, has_faer)


class Program:
    """A program that answers each line with seconds."""

    def __init__(self, build: list, folder: pathlib.Path, binary: pathlib.Path) -> None:
        subprocess.run(build, cwd=folder, check=True)
        self.process = subprocess.Popen(
            [binary], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def read_line(self) -> str:
        return self.process.stdout.readline().strip()

    def time(self, line: str) -> float:
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return float(self.read_line())


def report(side: int, kernels: Program, peers: Program, lanes: str, suffix: str, has_faer: bool) -> None:
    generator = np.random.Generator(np.random.Philox(key=1))
    left, right = generator.random((side, side)), generator.random((side, side))
    product = np.empty((side, side))
    operations = 2 * side**3
    block_rows = 128 if side > 1024 else -(-side // 16)

    def time_numpy() -> float:
        start = time.perf_counter()
        np.matmul(left, right, out=product)
        return time.perf_counter() - start

    contenders = {
        "OpenBLAS": time_numpy,
        "faer": lambda: peers.time(f"faer {side}"),
        "fast": lambda: kernels.time(f"fast{suffix} {side}"),
        "reproducible": lambda: kernels.time(f"reproducible{suffix} {side}"),
        f"reproducible, blocks of {block_rows} rows": lambda: kernels.time(f"reproducible{suffix} {side} {block_rows}"),
        f"pipes, fused, {lanes} bits": lambda: peers.time(f"fused-{lanes} {side}"),
        f"pipes, separate, {lanes} bits": lambda: peers.time(f"separate-{lanes} {side}"),
    }
    if not has_faer:
        del contenders["faer"]
    rounds = max(9, min(101, int(1e11 / operations)))
    times = {name: [] for name in contenders}
    for number in range(rounds + 2):
        for name, measure in contenders.items():
            seconds = measure()
            if number > 1:  # the first rounds warm caches and pages
                times[name].append(seconds)
    columns = {"OpenBLAS": "OpenBLAS", "faer": "faer", f"pipes, separate, {lanes} bits": "pipes"}
    columns = {name: label for name, label in columns.items() if name in times}
    heads = "".join(f"{'of ' + label:>24}" for label in columns.values())
    print(f"n = {side}, {rounds} rounds{'GFLOP/s':>29}{heads}")
    for name, values in times.items():
        rate = operations / statistics.median(values) / 1e9
        ratios = "".join(f"{ratio(times[base], values):>24}" for base in columns)
        print(f"  {name:34}{rate:12.1f}{ratios}")


def ratio(base: list, values: list) -> str:
    """How many times as fast as `base`: the median of the rounds, and their middle half."""
    ratios = [slow / fast for slow, fast in zip(base, values)]
    low, middle, high = statistics.quantiles(ratios, n=4)
    return f"{middle:.2f} ({low:.2f} to {high:.2f})"


main()
