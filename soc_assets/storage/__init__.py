"""Files on a local disk or in object storage, written so that a reader never sees half of one."""
