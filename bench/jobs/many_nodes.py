#!/usr/bin/env python3
"""Many nodes on this one machine, first idle and then with a stream of small jobs from several of them: memory
and processors' time of an idle node, what they say to each other meanwhile, and whether anybody who lives is
taken for dead.

    python3 bench/jobs/many_nodes.py [nodes] [--seconds N]
"""
import argparse
import os
import pathlib
import resource
import statistics
import threading
import time

from nodes import Client, Mesh

# Each of these has one thread, the others none: more would only be in each other's way.
COMPUTING = 4
CALLERS = 8
SIDE = 200
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
LOOPBACK = pathlib.Path("/sys/class/net/lo/statistics/tx_bytes")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("nodes", nargs="?", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=20)
    told = parser.parse_args()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    begun = time.monotonic()
    with Mesh(told.nodes, COMPUTING) as mesh:
        for node in mesh.nodes:
            wait_for_all(Client(node.port), told.nodes)
        print(f"{told.nodes} nodes see each other {time.monotonic() - begun:.1f} s after the first was started")
        idle(mesh, told.seconds)
        busy(mesh, told.seconds)
        lines = [line for node in mesh.nodes for line in (node.folder / "log").read_text().splitlines()]
        dead = [line for line in lines if "is taken for dead" in line]
        print(f"taken for dead: {len(dead)}")
        for line in dead[:5]:
            print(" ", line)


def wait_for_all(client: Client, count: int) -> None:
    deadline = time.monotonic() + 60
    while True:
        alive = sum(node["status"] == "alive" for node in client.json("GET", "/api/v1/nodes"))
        if alive == count:
            return
        if time.monotonic() > deadline:
            raise RuntimeError(f"a node sees {alive} of {count}")
        time.sleep(0.05)  # nothing tells of nodes but asking


def idle(mesh: Mesh, seconds: float) -> None:
    """What nodes cost that have nothing to do."""
    before = int(LOOPBACK.read_text()), [processor_time(node) for node in mesh.nodes]
    time.sleep(seconds)  # that nothing happens is what is measured
    after = int(LOOPBACK.read_text()), [processor_time(node) for node in mesh.nodes]
    memory = sorted(resident(node) for node in mesh.nodes)
    bytes_per_node = (after[0] - before[0]) / seconds / len(mesh.nodes)
    spent = [(end - begin) / seconds for begin, end in zip(before[1], after[1])]
    print(f"idle: memory {statistics.median(memory) / 1e6:.1f} MB a node ({memory[0] / 1e6:.1f} to {memory[-1] / 1e6:.1f}); "
          f"{bytes_per_node / 1e3:.1f} kB/s leave a node, headers of packets included; "
          f"{100 * statistics.mean(spent):.2f} % of a core a node")


def busy(mesh: Mesh, seconds: float) -> None:
    """Callers at several nodes, each with the next job when the last has ended."""
    deadline = time.monotonic() + seconds
    counts = [0] * CALLERS
    problems = []

    def call(number: int) -> None:
        client = Client(mesh.nodes[number * len(mesh.nodes) // CALLERS].port)
        matrix = lambda seed: {"rows": SIDE, "cols": SIDE, "random": {"seed": seed}}
        try:
            while time.monotonic() < deadline:
                job = client.submit(matrix(2 * counts[number]), matrix(number), {})["id"]
                client.wait(job)
                counts[number] += 1
        except Exception as problem:  # told below, and the measurement fails
            problems.append(problem)

    callers = [threading.Thread(target=call, args=(number,)) for number in range(CALLERS)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    if problems:
        raise problems[0]
    memory = sorted(resident(node) for node in mesh.nodes)
    print(f"busy: {sum(counts) / seconds:.1f} jobs of {SIDE} x {SIDE} a second from {CALLERS} callers with three backups; "
          f"memory {statistics.median(memory) / 1e6:.1f} MB a node (at most {memory[-1] / 1e6:.1f})")


def resident(node) -> int:
    pages = int(pathlib.Path(f"/proc/{node.process.pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def processor_time(node) -> float:
    fields = pathlib.Path(f"/proc/{node.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_SECOND


if __name__ == "__main__":
    main()
