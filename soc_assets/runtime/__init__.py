"""The machine: devices, processes, threads, caches and progress."""
