"""Several processes on one machine that share each batch, one GPU each, by torch's DistributedDataParallel.

Started by the step of the asset itself; on Ray and Kubernetes the step has one device, and so takes one process.
Gradients go through NCCL on GPUs and Gloo on CPUs, on the loopback interface; the processes find each other by a file.
"""

import os
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from queue import Empty
from typing import TYPE_CHECKING, Any

import torch
from torch import distributed, multiprocessing
from torch.multiprocessing.spawn import ProcessExitedException, ProcessRaisedException, start_processes

from soc_assets.errors import SocError, TrainingError
from soc_assets.pretraining.session import open_session, train
from soc_assets.project import Project
from soc_assets.runtime import interrupts, progress

if TYPE_CHECKING:
    from multiprocessing.queues import Queue

_LOOPBACK = "lo0" if sys.platform == "darwin" else "lo"
_WAIT = 0.5  # seconds between two looks at the processes


def train_together(project: Project, inputs: str) -> None:
    """Pre-train in `[pretraining] processes` processes; the first one writes what is written.

    Raises:
        TrainingError: one of them failed; the others are ended.
        Interrupted: the user has asked the command to end; the last state is kept.
    """
    world = project.settings.pretraining.processes
    queue = multiprocessing.get_context("spawn").Queue()
    with tempfile.TemporaryDirectory() as folder:
        arguments = (world, project, inputs, Path(folder) / "meet", queue)
        processes = start_processes(_work, arguments, world, join=False, start_method="spawn")
        assert processes is not None
        try:
            while not processes.join(_WAIT):
                interrupts.check()
                _pass_on(queue)
        except ProcessRaisedException as error:
            _pass_on(queue)
            raise TrainingError(
                f"A process of the pre-training failed: {str(error).strip().splitlines()[-1]}"
            ) from error
        except ProcessExitedException as error:
            raise TrainingError(f"A process of the pre-training died ({error}). Run again: it goes on.") from error
        finally:
            for process in processes.processes:
                if process is not None:
                    process.terminate()
        interrupts.check()  # processes may have heard Ctrl+C first, and ended without an error
        _pass_on(queue)


def _work(rank: int, world: int, project: Project, inputs: str, meet: Path, queue: "Queue[Any]") -> None:
    """What each process does."""
    for name in ("GLOO_SOCKET_IFNAME", "NCCL_SOCKET_IFNAME"):
        os.environ.setdefault(name, _LOOPBACK)
    on_gpu = torch.cuda.is_available() and project.settings.embedding.device != "cpu"
    if not on_gpu:
        torch.set_num_threads(max(1, (os.cpu_count() or 1) // world))
    backend, device = ("nccl", torch.device("cuda", rank)) if on_gpu else ("gloo", None)
    distributed.init_process_group(backend, f"file://{meet}", world_size=world, rank=rank, device_id=device)
    try:
        with progress.listening(lambda now: queue.put(("progress", now))), progress.of("pretrained_encoder"):
            train(project, inputs, open_session(project, rank, world))
    except SocError as error:
        queue.put(("error", str(error)))
        raise
    finally:
        with suppress(Exception):
            distributed.destroy_process_group()


def _pass_on(queue: "Queue[Any]") -> None:
    """Progress of the first process is this one's; what the user can fix is raised."""
    with suppress(Empty):
        while True:
            kind, content = queue.get_nowait()
            if kind == "error":
                raise TrainingError(content)
            progress.report(content.done, content.total, content.message, left=content.left)
