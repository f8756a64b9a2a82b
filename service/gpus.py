"""How many GPUs there are, by NVIDIA's driver and without CUDA's libraries."""

import ctypes


def count_gpus() -> int:
    """Return how many GPUs the driver shows to this process, which CUDA_VISIBLE_DEVICES limits; 0 without a driver."""
    count = ctypes.c_int(0)
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return 0
    failed = driver.cuInit(0) or driver.cuDeviceGetCount(ctypes.byref(count))
    return 0 if failed else count.value
