"""Answers each line `n repeats` with the seconds that one product takes NumPy's OpenBLAS, native, one thread, f64.

The first line it prints is NumPy's version. numpy_peer.mjs talks to it.
"""
import os
import sys
import time

# The library reads these as it is loaded. A machine may set the last two, and then its choice would be measured.
os.environ["OPENBLAS_NUM_THREADS"] = "1"
os.environ.pop("OPENBLAS_CORETYPE", None)
os.environ.pop("OPENBLAS_L2_SIZE", None)

import numpy as np

print(np.__version__, flush=True)
side = 0
for line in sys.stdin:
    wanted, repeats = map(int, line.split())
    if wanted != side:
        side = wanted
        generator = np.random.Generator(np.random.Philox(key=1))
        left, right = generator.random((side, side)), generator.random((side, side))
        product = np.empty((side, side))
    start = time.perf_counter()
    for _ in range(repeats):
        np.matmul(left, right, out=product)
    print((time.perf_counter() - start) / repeats, flush=True)
