"""Batches that a disk has spoilt: noticed, named, and computed again, whichever bit it was."""

import random
import warnings
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from soc_assets.cli import runner
from soc_assets.cli.main import main
from soc_assets.embedding.batch import state
from soc_assets.embedding.check import check_batch
from soc_assets.errors import EmbeddingError, SocWarning
from soc_assets.features import load_features
from soc_assets.reporting.findings import errors
from soc_assets_tests import spoil
from soc_assets_tests.same_rows import assert_same_rows
from soc_assets_tests.small_project import SmallProject
from soc_assets_tests.spoil import cut, empty, zero

pytestmark = pytest.mark.usefixtures("undrawn", "unserved")

FLIPS = 300


@pytest.fixture(scope="module")
def built(templates, tmp_path_factory) -> SmallProject:
    """A project with features; each test leaves it as it was."""
    return templates.copy("with features", tmp_path_factory.mktemp("damage") / "project")


def footer_of(content: bytes) -> int:
    """Where a Parquet file's footer begins."""
    return len(content) - 8 - int.from_bytes(content[-8:-4], "little")


def flip(path: Path, content: bytes, at: int, bit: int) -> None:
    spoilt = bytearray(content)
    spoilt[at] ^= 1 << bit
    path.write_bytes(spoilt)


def footer(path: Path) -> None:
    content = path.read_bytes()
    flip(path, content, footer_of(content), 7)


def test_every_flipped_bit_is_noticed_or_changes_nothing(world):
    written, _ = world.write()
    batch, path = world.batch(), written.path
    content, rows = path.read_bytes(), pq.read_table(path)
    stream, begins = random.Random(5), footer_of(path.read_bytes())
    outcomes = []
    for number in range(FLIPS):
        at = stream.randrange(begins) if number % 2 else stream.randrange(begins, len(content))
        flip(path, content, at, stream.randrange(8))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SocWarning)
            stale = state(batch, world.home) != "fresh"
        noticed = stale or bool(errors(check_batch(batch, world.home, world.spec)))
        assert noticed or pq.read_table(path) == rows, f"bit of byte {at}"
        outcomes.append("stale" if stale else "checksum" if noticed else "harmless")
    assert outcomes.count("stale") > 20 and outcomes.count("checksum") > 100


@pytest.mark.parametrize("damage", [cut, empty, zero, footer])
def test_batch_whose_end_is_spoilt_is_named_and_computed_again_by_the_next_run(built, damage: Callable[[Path], None]):
    path = built.batch_files()["batch_0003"]
    sound, before = pd.read_parquet(path), built.stamps()
    damage(path)
    with pytest.warns(SocWarning, match=f"{path.name} is damaged"):
        assert built.run("features").failures == []
    assert mended(built, before) == {path.name}
    assert_same_rows(pd.read_parquet(path), sound)


def test_flipped_bytes_are_found_by_verifying_and_the_batch_is_computed_again(built):
    path = built.batch_files()["batch_0002"]
    sound, before = pd.read_parquet(path), built.stamps()
    spoil.flip_bytes(path)
    built.use()
    assert runner.assess(built.project, "features")[3].fresh, "its end does not tell"
    told = CliRunner().invoke(main, ["status", "--verify", "--check", "--config", str(built.config)])
    assert told.exit_code == 1
    assert f"batch_0002: {path}: it cannot be read" in told.stderr and "CRC checksum" in told.stderr
    assert f"It is now {path.name}.wrong; `soc run` computes the batch again." in told.stderr
    assert "3 of 4" in told.stdout
    assert built.run("features").failures == []
    assert mended(built, before) == {path.name}
    assert_same_rows(pd.read_parquet(path), sound)
    again = CliRunner().invoke(main, ["status", "--verify", "--config", str(built.config)])
    assert (again.exit_code, again.stderr) == (0, "")


def mended(made: SmallProject, before: dict[str, int]) -> set[str]:
    """Batches written since."""
    now = made.stamps()
    return {Path(name).name for name in now if "/batch_" in name and now[name] != before.get(name)}


def test_changed_labels_do_not_hide_damage_under_new_checksums(world):
    written, sound = world.write()
    spoil.flip_bytes(written.path)
    world.samples = world.samples.assign(organic_carbon=7.0)
    again, mended = world.write()
    assert again.outcome == "computed"
    assert_same_rows(mended, sound.assign(organic_carbon=7.0))
    world.samples = world.samples.assign(organic_carbon=8.0)
    assert world.write()[0].outcome == "relabelled", "a sound file is not embedded again"


def test_flipped_bytes_stop_the_reading_of_features(built):
    path = built.batch_files()["batch_0001"]
    content = path.read_bytes()
    spoil.flip_bytes(path)
    try:
        with pytest.raises(EmbeddingError, match=rf"{path.name} cannot be read as a batch .*CRC checksum"):
            load_features(project=built.project)
    finally:
        path.write_bytes(content)
