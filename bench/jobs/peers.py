"""What people would use instead: Dask.distributed and Ray, each with two workers of one thread."""
import logging
import os

import numpy as np


class DaskPeer:
    def __init__(self) -> None:
        import dask
        from dask.distributed import Client, LocalCluster

        dask.config.set({"distributed.nanny.pre-spawn-environ": {"OPENBLAS_NUM_THREADS": "1"}})
        self.cluster = LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None,
            memory_limit=None, silence_logs=logging.ERROR,
        )
        self.client = Client(self.cluster)

    def multiply(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """Each worker gets B and half of the rows, which is the fastest of the cuts."""
        import dask.array

        rows = dask.array.from_array(a, chunks=(-(-len(a) // 2), a.shape[1]))
        whole = dask.array.from_array(b, chunks=b.shape)
        return (rows @ whole).compute()

    def stop(self) -> None:
        self.client.close()
        self.cluster.close()


class RayPeer:
    def __init__(self) -> None:
        os.environ["RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO"] = "0"
        import ray

        self.ray = ray
        ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, configure_logging=False,
                 runtime_env={"env_vars": {"OPENBLAS_NUM_THREADS": "1"}})
        self.part = ray.remote(num_cpus=1)(multiply)

    def multiply(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """B once in the shared store, half of the rows for each worker."""
        whole = self.ray.put(b)
        middle = -(-len(a) // 2)
        parts = [self.part.remote(rows, whole) for rows in (a[:middle], a[middle:])]
        return np.concatenate(self.ray.get(parts))

    def stop(self) -> None:
        self.ray.shutdown()


def multiply(rows: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return rows @ whole
