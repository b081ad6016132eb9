#!/usr/bin/env python3
"""One seeded product on devices of very different speed, one of which falls asleep in the middle and one of
which comes at half: how long does it take, against its operations divided by the sum of the speeds of those
who are there?

    laptop    one thread
    phone     its compute thread has 2 % of a core (a cgroup's quota): fifty times slower
    tablet    20 % of a core; its process is stopped when 40 % of the blocks are done
    late      60 % of a core; started when half of the blocks are done

Speeds are what the devices had while they computed this job. Needs root, and version 1 of the cpu cgroup.

    python3 bench/jobs/uneven.py [n] [--rounds N]
"""
import argparse
import pathlib
import signal
import statistics
import time

from nodes import Mesh, Node

CGROUP = pathlib.Path("/sys/fs/cgroup/cpu")
PERIOD_US = 50_000
SHARES = {"phone": 0.02, "tablet": 0.2, "late": 0.6}
SEEDS = (11, 12)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("n", nargs="?", type=int, default=8000)
    parser.add_argument("--rounds", type=int, default=3)
    told = parser.parse_args()
    rounds = [play(told.n) for _ in range(told.rounds)]
    for name, figures in zip(("makespan, of what the speeds allow", "results that were computed twice, of all"),
                             zip(*rounds)):
        print(f"{name}: median {statistics.median(figures):.3f} ({min(figures):.3f} to {max(figures):.3f})")


def play(n: int) -> tuple[float, float]:
    """Makespan against the ideal, and the part of the blocks that came more than once."""
    options = ["--num-backup-nodes", "0"]
    with Mesh(3, 3, *options) as mesh:
        laptop, phone, tablet = mesh.nodes
        throttle(phone, "phone")
        throttle(tablet, "tablet")
        warm_up(mesh)
        matrix = lambda seed: {"rows": n, "cols": n, "random": {"seed": seed}}
        begun = time.monotonic()
        job = mesh.client.submit(*(matrix(seed) for seed in SEEDS), {})["id"]
        wait_for(mesh, job, 0.4)
        tablet.process.send_signal(signal.SIGSTOP)
        asleep_s = time.monotonic() - begun
        try:
            wait_for(mesh, job, 0.5)
            late = Node("--threads", "1", *options, peer=laptop)
            mesh.nodes.append(late)
            throttle(late, "late")
            come_s = time.monotonic() - begun
            ended = mesh.client.json("GET", f"/api/v1/jobs/{job}?wait=30")
            while ended["status"] == "running":
                ended = mesh.client.json("GET", f"/api/v1/jobs/{job}?wait=30")
            took_s = time.monotonic() - begun
        finally:
            tablet.process.send_signal(signal.SIGCONT)
    assert ended["status"] == "complete", ended
    speeds = {one["worker"]: one["operations"] / one["compute_ms"] * 1e3 for one in ended["contributions"]}
    # The line that a node says first has the beginning of its id.
    of = lambda node: sum(speed for worker, speed in speeds.items() if worker.startswith(node.id))
    # What was done before the last one came, and what is left for those who are there then.
    before = come_s * (of(laptop) + of(phone)) + asleep_s * of(tablet)
    ideal_s = come_s + (2 * n**3 - before) / (of(laptop) + of(phone) + of(late))
    twice = ended["computed_results"] / ended["blocks"]["total"] - 1
    told = ", ".join(f"{name} {of(node) / 1e9:.1f}" for name, node in
                     (("laptop", laptop), ("phone", phone), ("tablet", tablet), ("late", late)))
    print(f"{took_s:.1f} s of {ideal_s:.1f} s; GFLOP/s: {told}; asleep after {asleep_s:.1f} s, late after "
          f"{come_s:.1f} s; {ended['reassigned_blocks']} of {ended['blocks']['total']} blocks changed hands", flush=True)
    return took_s / ideal_s, twice


def throttle(node: Node, name: str) -> None:
    """Puts a node's compute thread, and nothing else of it, into a cgroup of so much of a core."""
    group = CGROUP / f"matmesh-bench-{name}"
    group.mkdir(exist_ok=True)
    (group / "cpu.cfs_period_us").write_text(str(PERIOD_US))
    (group / "cpu.cfs_quota_us").write_text(str(int(SHARES[name] * PERIOD_US)))
    tasks = pathlib.Path(f"/proc/{node.process.pid}/task")
    compute = []
    while not compute:  # nothing tells that the thread has begun
        compute = [task.name for task in tasks.iterdir() if (task / "comm").read_text().startswith("compute")]
    (group / "tasks").write_text(compute[0])


def warm_up(mesh: Mesh) -> None:
    """A small job, so that each device's speed is known from blocks."""
    matrix = {"rows": 2000, "cols": 2000, "random": {"seed": 1}}
    job = mesh.client.submit(matrix, matrix, {})["id"]
    mesh.client.wait(job)


def wait_for(mesh: Mesh, job: str, part: float) -> None:
    while True:
        blocks = mesh.client.json("GET", f"/api/v1/jobs/{job}")["blocks"]
        if blocks["done"] >= part * blocks["total"]:
            return
        time.sleep(0.02)  # nothing tells of a part but asking


if __name__ == "__main__":
    main()
