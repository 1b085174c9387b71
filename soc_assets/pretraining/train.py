"""The steps of pre-training, on one process or several that share each batch.

Everything random of a step (windows, crops, masks) comes from the seed and the step's number, so that a run that goes
on, or one on several processes, does what an undisturbed one on a single process does, up to rounding.
"""

import math
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

from soc_assets.errors import TrainingError
from soc_assets.pretraining.augment import augmented, gaps_filled
from soc_assets.pretraining.held_out import HeldOut, evaluate
from soc_assets.pretraining.network import to_patches
from soc_assets.pretraining.objective import draw_mask, terms
from soc_assets.pretraining.run import Job, Run, save
from soc_assets.pretraining.schedule import learning_rate
from soc_assets.pretraining.windows import Windows, WindowSampler
from soc_assets.runtime import interrupts, progress
from soc_assets.runtime.device import out_of_memory

_AHEAD = 3  # batches that are read while the device computes
_RECENT = 20  # steps whose mean loss is shown

Batch = tuple[Tensor, Tensor, Tensor, Tensor]
"""Images and their gaps [n, frames, h, w], indices of visible tokens [n, m], masked tokens [n, tokens]."""


def pretrain(
    run: Run,
    job: Job,
    sampler: WindowSampler,
    held_out: list[HeldOut],
    state: Path | None = None,
    on_evaluation: Callable[[Run], None] = lambda run: None,
) -> Run:
    """Take all steps that are left, or fewer where the held-out loss has stalled.

    Args:
        run: from `begin`, or continued by `resume`.
        job: settings and device.
        sampler: of the windows.
        held_out: what the held-out loss is of; only the first process needs it.
        state: file that the state is saved to.
        on_evaluation: called after each evaluation, in the first process.

    Raises:
        TrainingError: the loss is not finite.
        Interrupted: the user has asked the command to end; the last state is kept.
    """
    network: nn.Module = run.model.train()
    if job.world > 1:
        network = DistributedDataParallel(run.model, [job.device.index] if job.device.type == "cuda" else None)
    since = time.perf_counter()
    if _stopped(run, job):
        return run
    for windows in _batches(sampler, job, run.step):
        _heed_signals(run, job, state)
        run.losses.append(_step_within_memory(run, network, windows, job))
        if not run.step % job.every or run.step == job.steps:
            if job.rank == 0:
                run.curve.append(_row(run, held_out, job))
                on_evaluation(run)
            run.losses.clear()
            if _stopped(run, job):
                break
        now = time.perf_counter()
        run.seconds, since = run.seconds + now - since, now
        if job.rank == 0:
            if state and not run.step % job.settings.checkpoint_steps and run.step < job.steps:
                save(run, state)
            progress.report(run.step, job.steps, _words(run, run.step * job.settings.batch_size / run.seconds))
    return run


def _heed_signals(run: Run, job: Job, state: Path | None) -> None:
    """Where the user has asked the command to end, save the state first: nothing is lost."""
    if job.rank == 0 and state and run.step and interrupts.requested():
        save(run, state)
    interrupts.check()


def _step_within_memory(run: Run, network: nn.Module, windows: Windows, job: Job) -> float:
    try:
        return take_step(run, network, prepared(windows, run.step, job), job)
    except RuntimeError as error:
        if not out_of_memory(error):
            raise
        raise TrainingError(
            f"The memory of {job.device} does not hold {len(windows) // job.settings.accumulate} images at once. Set a "
            f"larger `accumulate` in [pretraining] of soc.toml (now {job.settings.accumulate}): gradients are the same."
        ) from None


def prepared(windows: Windows, step: int, job: Job) -> Batch:
    """This process's part of the batch of a step, on its device: cropped, flipped and masked."""
    generator = torch.Generator().manual_seed((job.settings.seed << 32) + step)
    size = job.settings.batch_size
    kept, masked = draw_mask(size, job.tokens(windows.images.shape), job.settings.mask_ratio, generator)
    images, valid = (torch.from_numpy(each).to(job.device) for each in (windows.images, windows.valid))
    images, valid = augmented(images, valid, job.settings.smallest_crop, generator, size, job.own)
    images = gaps_filled(images, valid) if job.by_image else images
    return images, valid, kept[job.own].to(job.device), masked[job.own].to(job.device)


def take_step(run: Run, network: nn.Module, batch: Batch, job: Job) -> float:
    """One optimiser step; returns the loss of the masked tokens of the whole batch, over all parts and processes.

    Args:
        run: whose weights are moved.
        network: its model, wrapped where processes share the batch.
        batch: from `prepared`.
        job: settings and device.

    Raises:
        TrainingError: the loss is not finite.
    """
    images, valid, kept, masked = batch
    rate = learning_rate(run.step, job.steps, job.peak, job.settings.warm_up)
    for group in run.optimizer.param_groups:
        group["lr"] = rate
    tokens, places = _counts(valid, masked, job)
    run.optimizer.zero_grad(set_to_none=True)
    sums, parts = torch.zeros(2, device=job.device), torch.arange(len(images)).chunk(job.settings.accumulate)
    for number, rows in enumerate(parts, start=1):
        target, there = (to_patches(each[rows], job.together) for each in (images, valid))
        with _gradients(network, number == len(parts)):
            with _autocast(job.device):
                predicted = network(target, kept[rows])
            found = terms(predicted, target, there, masked[rows], job.settings.normalise_target)
            loss = found.mean(tokens, places)
            (loss * job.world).backward()  # of processes that share a batch the mean is taken
        sums += torch.stack([loss.detach(), found.masked.detach() / tokens.clamp(min=1)])
    nn.utils.clip_grad_norm_(run.model.parameters(), job.settings.clip)
    run.optimizer.step()
    run.step += 1
    _follow(run, job.settings.ema)
    return _finite(sums, run.step, job)


def _follow(run: Run, decay: float) -> None:
    if run.average is not None:
        for key, value in run.model.state_dict().items():
            run.average[key].lerp_(value, 1 - decay)


def _finite(sums: Tensor, step: int, job: Job) -> float:
    """The second of two losses, the first of which, that is minimised, is finite."""
    if job.world > 1:
        distributed.all_reduce(sums)
    whole, masked = sums.tolist()
    if math.isfinite(whole):
        return masked
    raise TrainingError(
        f"The loss of step {step} of the pre-training is not finite. Lower base_learning_rate in [pretraining] of "
        "soc.toml; if that does not help, look for extreme values in the rasters with `soc check`."
    )


def _gradients(network: nn.Module, last: bool) -> AbstractContextManager[None]:
    """Processes exchange gradients once per step, with its last part."""
    return nullcontext() if last or not isinstance(network, DistributedDataParallel) else network.no_sync()


def _autocast(device: torch.device) -> AbstractContextManager[Any]:
    """bfloat16 on a GPU: it has the range of float32, so that nothing overflows."""
    return torch.autocast("cuda", torch.bfloat16) if device.type == "cuda" else nullcontext()


def _counts(valid: Tensor, masked: Tensor, job: Job) -> tuple[Tensor, Tensor]:
    """Masked tokens, and places, that have a value, in the whole batch."""
    there = to_patches(valid, job.together)
    tokens = (there.any(dim=-1).flatten(1) & masked).sum()
    places = there.all(dim=1).any(dim=-1).sum()
    both = torch.stack([tokens, places]).float()
    if job.world > 1:
        distributed.all_reduce(both)
    return both[0], both[1]


def _batches(sampler: WindowSampler, job: Job, first: int) -> Iterator[Windows]:
    """This process's part of every batch from a step on, read ahead."""
    with ThreadPoolExecutor(1 if job.device.type == "cpu" else _AHEAD) as pool:
        waiting: list[Future[Windows]] = []
        try:
            for step in range(first, job.steps):
                while len(waiting) < _AHEAD and step + len(waiting) < job.steps:
                    waiting.append(pool.submit(sampler.training, step + len(waiting), job.settings.batch_size, job.own))
                yield waiting.pop(0).result()
        finally:
            for future in waiting:
                future.cancel()


def _row(run: Run, held_out: list[HeldOut], job: Job) -> dict[str, float]:
    run.model.eval()
    found = evaluate(run.model, run.weights, held_out, job)
    run.model.train()
    return {
        "step": run.step,
        "images": run.step * job.settings.batch_size,
        "loss": sum(run.losses) / len(run.losses),
        **found,
        "learning_rate": run.optimizer.param_groups[0]["lr"],
    }


def _stopped(run: Run, job: Job) -> bool:
    """Whether the rest of the steps would be wasted; the first process decides."""
    stop = job.rank == 0 and run.has_stalled(job.settings.patience)
    if job.world > 1:
        said = torch.tensor([float(stop)], device=job.device)
        distributed.broadcast(said, 0)
        stop = bool(said.item())
    return stop


def _words(run: Run, rate: float) -> str:
    recent = run.losses[-_RECENT:]
    loss = f", loss {sum(recent) / len(recent):.4f}" if recent else ""
    last = run.curve[-1] if run.curve else None
    held = f", held out {last['held_out']:.4f} (interpolation {last['interpolation']:.4f})" if last else ""
    return f"steps{loss}, {rate:,.0f} images/s{held}"
