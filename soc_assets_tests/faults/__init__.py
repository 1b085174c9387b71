"""Faults injected for real: processes killed, disks full, files damaged, memory short. See docs/faults.md."""
