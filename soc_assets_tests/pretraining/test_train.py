"""Steps: what must not change their outcome (a crash, parts of a batch, several processes), and that they learn."""

import os
from dataclasses import replace

import pandas as pd
import pytest
import torch
from numpy.testing import assert_allclose

from soc_assets.errors import SettingsError, TrainingError
from soc_assets.pretraining.distributed import train_together
from soc_assets.pretraining.held_out import evaluate, reconstructed
from soc_assets.pretraining.inputs import output_of, pretraining_inputs
from soc_assets.pretraining.make import make_pretrained
from soc_assets.pretraining.objective import standardised_by
from soc_assets.pretraining.run import resume
from soc_assets.pretraining.schedule import learning_rate
from soc_assets.pretraining.session import open_session, state_of
from soc_assets.pretraining.train import pretrain, take_step
from soc_assets.runtime import interrupts, progress
from soc_assets.runtime.interrupts import Interrupted


def trained(small):
    session = open_session(small.project)
    pretrain(session.run, session.job, session.sampler, session.held_out)
    return session.run


def changed(small, line):
    small.set("[pretraining]\n", f"[pretraining]\n{line}\n")
    return small


def same(one, other, **tolerance):
    for key, value in one.model.state_dict().items():
        assert_allclose(value, other.model.state_dict()[key], **(tolerance or {"rtol": 0, "atol": 0}))


def test_two_runs_with_one_seed_give_the_same_tensors_and_another_seed_others(unlabelled):
    one, two = trained(unlabelled), trained(unlabelled)
    same(one, two)
    assert one.curve == two.curve
    other = trained(changed(unlabelled, "seed = 1"))
    assert not torch.equal(one.model.pos_embed_spatial, other.model.pos_embed_spatial)


def test_it_learns(unlabelled):
    changed(unlabelled, "base_learning_rate = 0.02")
    unlabelled.set("images = 48", "images = 640")
    curve = pd.DataFrame(trained(unlabelled).curve)
    assert curve["held_out"].iloc[-1] < 0.93 * curve["band_mean"].iloc[-1]  # two of the six bands are white noise
    assert curve["step"].tolist() == [26, 52, 78, 80]
    assert curve["images"].iloc[-1] == 640
    assert curve["learning_rate"].iloc[-1] < 0.01 * curve["learning_rate"].max()


def test_a_killed_run_goes_on_as_if_nothing_had_happened(unlabelled):
    """After step 3 of 6 it ends; the state is that of step 2."""
    undisturbed = trained(unlabelled)
    inputs = pretraining_inputs(unlabelled.project)
    steps = []

    def dies(now):
        steps.append(now.done)
        if now.done == 3:
            raise Interrupted

    with pytest.raises(Interrupted), progress.listening(dies), progress.of("pretrained_encoder"):
        make_pretrained(unlabelled.project, inputs)
    assert state_of(unlabelled.project, inputs).is_file()
    assert not output_of(unlabelled.project).exists()
    with progress.listening(lambda now: steps.append(now.done)), progress.of("pretrained_encoder"):
        made = make_pretrained(unlabelled.project, inputs)
    assert steps == [1, 2, 3, 3, 4, 5, 6]
    assert_allclose(made.curve["loss"], [row["loss"] for row in undisturbed.curve], rtol=1e-6)
    assert_allclose(made.curve["held_out"], [row["held_out"] for row in undisturbed.curve], rtol=1e-6)
    assert not state_of(unlabelled.project, inputs).exists()


def test_a_damaged_state_is_said_and_the_run_begins_anew(unlabelled):
    inputs = pretraining_inputs(unlabelled.project)
    state = state_of(unlabelled.project, inputs)
    state.parent.mkdir(parents=True)
    state.write_bytes(b"not a state")
    with pytest.warns(UserWarning, match="damaged"):
        made = make_pretrained(unlabelled.project, inputs)
    assert made.curve["step"].tolist() == [2, 4, 6]
    assert state.with_suffix(".pt.damaged").read_bytes() == b"not a state"


def test_of_states_of_other_settings_the_newest_is_kept(unlabelled):
    inputs = pretraining_inputs(unlabelled.project)
    older, newer = (state_of(unlabelled.project, name) for name in ("older", "newer"))
    older.parent.mkdir(parents=True)
    for number, path in enumerate((older, newer)):
        path.write_bytes(b"")
        os.utime(path, (number, number))
    make_pretrained(unlabelled.project, inputs)
    assert not older.exists()
    assert newer.exists()


def test_interrupted_it_saves_the_state_first(unlabelled, monkeypatch):
    session = open_session(unlabelled.project)
    state = state_of(unlabelled.project, "inputs")

    def signalled(now):
        if now.done == 3:  # the last saved state would be that of step 2
            monkeypatch.setattr(interrupts, "_received", [2])

    arguments = (session.run, session.job, session.sampler, session.held_out, state)
    with pytest.raises(Interrupted), progress.listening(signalled), progress.of("pretrained_encoder"):
        pretrain(*arguments)
    monkeypatch.setattr(interrupts, "_received", [])
    again = open_session(unlabelled.project)
    assert resume(again.run, state)
    assert again.run.step == 3


def test_normalised_targets_are_scored_as_they_are_trained(unlabelled):
    """A network that predicts the standardised target has no held-out loss, and its picture is the window."""
    changed(unlabelled, "normalise_target = true")
    session = open_session(unlabelled.project)
    [windows] = session.held_out

    class Perfect(torch.nn.Module):
        def forward(self, patches, kept):
            there = torch.ones_like(patches, dtype=torch.bool)
            found = standardised_by(patches, patches, there).unflatten(-1, (1, 64)).expand(*patches.shape[:-1], 3, 64)
            return found.flatten(-2)

    whole = replace(windows, valid=torch.ones_like(windows.valid))
    assert evaluate(Perfect(), {}, [whole], session.job)["held_out"] < 1e-9
    assert evaluate(session.run.model, session.run.weights, [whole], session.job)["held_out"] > 0.5
    picture = reconstructed(Perfect(), {}, whole, 5, session.job)
    assert_allclose(picture, windows.images[:5], atol=1e-4)


def test_parts_of_a_batch_add_up_to_the_whole(unlabelled):
    whole = trained(unlabelled)
    parts = trained(changed(unlabelled, "accumulate = 4"))
    same(whole, parts, rtol=1e-3, atol=2e-5)
    assert_allclose([row["loss"] for row in whole.curve], [row["loss"] for row in parts.curve], rtol=1e-5)


@pytest.mark.slow
def test_two_processes_have_the_loss_of_one(unlabelled):
    inputs = pretraining_inputs(unlabelled.project)
    one = make_pretrained(unlabelled.project, inputs)
    alone = torch.load(one.path, weights_only=True)["model"]
    changed(unlabelled, "processes = 2")
    assert pretraining_inputs(unlabelled.project) == inputs
    seen = []
    with progress.listening(lambda now: seen.append(now.done)), progress.of("pretrained_encoder"):
        two = make_pretrained(unlabelled.project, inputs)
    assert_allclose(two.curve["loss"], one.curve["loss"], rtol=1e-5)
    assert_allclose(two.curve["held_out"], one.curve["held_out"], rtol=1e-4)
    together = torch.load(two.path, weights_only=True)["model"]
    for key, value in alone.items():
        assert_allclose(together[key], value, rtol=1e-3, atol=2e-5)
    assert seen == [1, 2, 3, 4, 5, 6]


@pytest.mark.slow
def test_what_fails_in_a_process_is_said_in_its_words(unlabelled):
    changed(unlabelled, "processes = 2")
    unlabelled.set('model = "vit_tiny_patch8"', 'model = "vit_base_patch8"')
    with pytest.raises(TrainingError, match="Pre-training vit_base_patch8 without a GPU takes days"):
        train_together(unlabelled.project, "inputs")


def test_a_published_model_is_refused_without_a_gpu_unless_it_is_meant(unlabelled):
    unlabelled.set('model = "vit_tiny_patch8"', 'model = "vit_base_patch8"')
    with pytest.raises(SettingsError, match="vit_tiny_patch8"):
        open_session(unlabelled.project)


def test_the_moving_average_is_what_is_written(unlabelled):
    run = trained(changed(unlabelled, "ema = 0.9"))
    assert run.weights is run.average
    start = open_session(unlabelled.project).run.model.state_dict()
    key = "blocks.0.mlp.fc1.weight"
    moved = (run.model.state_dict()[key] - start[key]).norm()
    assert 0 < (run.weights[key] - start[key]).norm() < moved


def test_it_stops_where_the_held_out_loss_does_not_move(unlabelled):
    changed(unlabelled, "base_learning_rate = 1e-12\npatience = 1")
    run = trained(unlabelled)
    assert run.step == 4  # the second of three evaluations
    again = open_session(unlabelled.project)
    again.run.curve, again.run.step = run.curve, run.step
    pretrain(again.run, again.job, again.sampler, again.held_out)
    assert again.run.step == 4


def test_a_loss_that_is_not_finite_ends_the_run(unlabelled):
    session = open_session(unlabelled.project)
    images = torch.full((8, 1, 16, 16), torch.inf)
    valid, masked = torch.ones(images.shape, dtype=torch.bool), torch.ones(8, 4, dtype=torch.bool)
    batch = (images, valid, torch.zeros(8, 1, dtype=torch.long), masked)
    with pytest.raises(TrainingError, match="base_learning_rate"):
        take_step(session.run, session.run.model, batch, session.job)


def test_gradients_are_clipped(unlabelled):
    changed(unlabelled, "clip = 1e-9")
    session = open_session(unlabelled.project)
    pretrain(session.run, session.job, session.sampler, session.held_out)
    norms = [parameter.grad.norm() for parameter in session.run.model.parameters() if parameter.grad is not None]
    assert torch.stack(norms).norm() <= 1.01e-9


def test_vectors_are_not_decayed(unlabelled):
    decayed, spared = open_session(unlabelled.project).run.optimizer.param_groups
    assert decayed["weight_decay"] == 0.05
    assert all(parameter.dim() > 1 for parameter in decayed["params"])
    assert spared["weight_decay"] == 0
    assert all(parameter.dim() == 1 for parameter in spared["params"])


@pytest.mark.parametrize("steps", [1, 2, 7, 100])
def test_the_rate_rises_and_falls_by_half_a_cosine(steps):
    rates = [learning_rate(step, steps, 2.0, 0.3) for step in range(steps)]
    rising = round(steps * 0.3)
    assert max(rates) == 2.0
    assert rates[:rising] == sorted(rates[:rising])
    assert rates[rising:] == sorted(rates[rising:], reverse=True)
    assert min(rates) > 0


def test_batches_that_cannot_be_cut_are_refused(unlabelled):
    changed(unlabelled, "accumulate = 3")
    with pytest.raises(SettingsError, match="not a multiple of accumulate x processes = 3"):
        _ = unlabelled.project


def test_interrupted_between_steps(unlabelled, monkeypatch):
    session = open_session(unlabelled.project)
    monkeypatch.setattr(interrupts, "_received", [2])
    with pytest.raises(Interrupted):
        pretrain(session.run, session.job, session.sampler, session.held_out)
    assert session.run.step == 0
