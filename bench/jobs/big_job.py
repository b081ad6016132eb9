#!/usr/bin/env python3
"""One big product on two nodes of one thread each: does it end, are its bits right, and how much memory
does each process take?

    python3 bench/jobs/big_job.py [n] [--from-files]

A and B are n × n (20,000 where none is named), from seeds, or with --from-files as .npy files that are read
piece by piece. Some rows of C are compared bit by bit with the sums in the order of k, computed by NumPy.
"""
import argparse
import http.client
import pathlib
import time

import numpy as np

from nodes import TARGET, Mesh

ROWS_AT_ONCE = 500
ROWS_CHECKED = 3
SEEDS = (11, 12)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("n", nargs="?", type=int, default=20_000)
    parser.add_argument("--from-files", action="store_true")
    told = parser.parse_args()
    n = told.n
    with Mesh(2, 2, "--num-backup-nodes", "0", "--max-dim", str(n)) as mesh:
        begun = time.perf_counter()
        job = (submit_files if told.from_files else submit_seeds)(mesh, n)
        accepted = time.perf_counter()
        wait(mesh, job)
        computed = time.perf_counter()
        rows = sorted({0, n // 2, n - 1})[:ROWS_CHECKED]
        found = rows_of_result(mesh, job, n, rows)
        fetched = time.perf_counter()
        print(f"{n} x {n} {'from files' if told.from_files else 'from seeds'}: accepted after {accepted - begun:.1f} s, "
              f"computed in {computed - accepted:.1f} s ({2 * n**3 / (computed - accepted) / 1e9:.0f} GFLOP/s), "
              f"fetched in {fetched - computed:.1f} s")
        for node in mesh.nodes:
            print(f"  peak memory of node {node.port}: {peak_memory(node.process.pid) / 1e6:.0f} MB")
    expected = rows_of_product(n, rows)
    for row, right, is_found in zip(rows, expected, found):
        assert right.tobytes() == is_found.tobytes(), f"row {row} has other bits"
    print(f"  rows {rows}: right bit by bit")


def source(n: int, seed: int) -> dict:
    return {"rows": n, "cols": n, "random": {"seed": seed}}


def submit_seeds(mesh: Mesh, n: int) -> str:
    return mesh.client.submit(*(source(n, seed) for seed in SEEDS), {})["id"]


def submit_files(mesh: Mesh, n: int) -> str:
    files = []
    for seed in SEEDS:
        path = TARGET / f"bench/big-{n}-{seed}.npy"
        if not path.exists():
            matrix = np.lib.format.open_memmap(path, "w+", np.float64, (n, n))
            for start, rows in bands(n, seed):
                matrix[start:start + len(rows)] = rows
            del matrix
        files.append(memoryview(np.memmap(path, np.uint8, "r")))
    return mesh.client.submit_files(*files, {})["id"]


def wait(mesh: Mesh, job: str) -> None:
    last = 0.0
    while True:
        told = mesh.client.json("GET", f"/api/v1/jobs/{job}?wait=30")
        if told["status"] != "running":
            assert told["status"] == "complete", told
            return
        if time.monotonic() - last > 60:
            last = time.monotonic()
            print(f"  {told['blocks']['done']} of {told['blocks']['total']} blocks", flush=True)


def rows_of_result(mesh: Mesh, job: str, n: int, wanted: list[int]) -> list[np.ndarray]:
    """The whole result comes; these rows of it are kept."""
    connection = http.client.HTTPConnection("127.0.0.1", mesh.nodes[0].port)
    connection.request("GET", f"/api/v1/jobs/{job}/result?format=npy")
    response = connection.getresponse()
    assert response.status == 200, response.status
    np.lib.format.read_magic(response)
    shape, _, kind = np.lib.format.read_array_header_1_0(response)
    assert shape == (n, n), shape
    row, kept = np.empty(n, kind), []
    view = memoryview(row).cast("B")
    for number in range(n):
        taken = 0
        while taken < len(view):
            count = response.readinto(view[taken:])
            assert count, f"the result ended in row {number}"
            taken += count
        if number in wanted:
            kept.append(row.copy())
    return kept


def bands(n: int, seed: int):
    """The seeded matrix, some rows at a time, with the number of the first."""
    generator = np.random.Generator(np.random.Philox(key=seed))
    for start in range(0, n, ROWS_AT_ONCE):
        yield start, generator.random((min(ROWS_AT_ONCE, n - start), n))


def rows_of_product(n: int, wanted: list[int]) -> list[np.ndarray]:
    """Each product rounded, then each sum, in the order of k."""
    left = {}
    for start, rows in bands(n, SEEDS[0]):
        left |= {row: rows[row - start].copy() for row in wanted if start <= row < start + len(rows)}
    sums = [np.zeros(n) for _ in wanted]
    for start, rows in bands(n, SEEDS[1]):
        for k, entries in enumerate(rows, start):
            for row, total in zip(wanted, sums):
                total += left[row][k] * entries
    return sums


def peak_memory(process: int) -> int:
    """Bytes of memory that it had at most."""
    status = pathlib.Path(f"/proc/{process}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return 1024 * int(line.split()[1])


if __name__ == "__main__":
    main()
