"""The card and the STAC item of a change between two maps."""

import shutil
from pathlib import Path

import pystac
import pytest

from soc_assets.mapping.change.changes import change_folder
from soc_assets.mapping.change.classes import CAUTION
from soc_assets.mapping.change.files import read_change
from soc_assets.mapping.documents.change_card import change_card
from soc_assets.mapping.documents.evidence import Evidence
from soc_assets.mapping.documents.stac_collection import update_collection
from soc_assets.mapping.inputs import read_map_inputs
from soc_assets.mapping.layer_files import MapFile
from soc_assets_tests.hostile import HTML
from soc_assets_tests.mapping.documents.test_documents import EVIDENCE
from soc_assets_tests.mapping.make_map import CHANGE, make, make_change
from soc_assets_tests.mapping.test_tiles import catalogued, maps_of
from soc_assets_tests.small_world import project_of, write_world


@pytest.fixture(scope="module")
def changed(tmp_path_factory) -> tuple[MapFile, Path]:
    """A change between two maps in a copy of their folder, as a model without members has it."""
    root = tmp_path_factory.mktemp("changed")
    project = project_of(write_world(root / "data/rasters"), root)
    catalogued(project)
    inputs = maps_of(project, files="documents", weights="random (seed 42)", recipe="r")
    inputs = read_map_inputs(project, inputs.registered, CHANGE.periods)
    make(inputs)
    make_change(inputs, EVIDENCE)
    made = read_change(change_folder(inputs, CHANGE))
    assert made is not None
    update_collection(made.folder.parents[1])
    return made, shutil.copytree(made.folder.parents[1], root / "copy")


def test_change_is_in_the_catalog_beside_the_maps_that_it_comes_from(changed, offline):
    made, copied = changed
    collection = pystac.Collection.from_file(str(copied / "collection.json"))
    assert collection.validate_all() == 3
    model = made.facts["model_digest"]
    item = {each.id: each for each in collection.get_items()}[f"{model}_change_2019_2020"]
    told = item.properties
    assert (told["start_datetime"], told["end_datetime"]) == ("2019-01-01T00:00:00Z", "2020-12-31T23:59:59Z")
    assert told["description"] == CAUTION and told["soc:scores"][0]["r2"] == 0.41
    assert (told["soc:period"], told["soc:members"], told["soc:level"]) == ("2019_2020", 0, None)
    assert sum(each["share"] for each in told["soc:beyond_uncertainty"]) == pytest.approx(1, abs=1e-5)
    froms = [link.get_absolute_href() for link in item.links if link.rel == "derived_from"]
    assert froms == [str(copied / model / period / "item.json") for period in ("2019", "2020")]
    for asset in item.get_assets().values():
        assert Path(asset.get_absolute_href() or "").is_file()
    [band] = item.assets["change"].extra_fields["bands"]
    assert band["unit"] == "g/kg" and band["statistics"]["mean"] == pytest.approx(
        made.facts["statistics"]["change"]["mean"]
    )


def test_card_of_a_change_says_that_it_proves_none(changed):
    made, _ = changed
    card = (made.folder / "card.md").read_text()
    assert card == change_card(made.facts, EVIDENCE)
    counts = made.facts["beyond_uncertainty"]
    for words in (
        "# Change of predicted soil organic carbon, 2019 to 2020",
        f"**{CAUTION}**",
        "the uncertainty of the difference is unknown",
        f"| 3 | uncertainty unknown | {counts['3']:,} | 100.0 % |",
        "[2019](../2019/card.md) and [2020](../2020/card.md)",
        "The difference itself has no score",
    ):
        assert words in card
    assert "**" + CAUTION in change_card(made.facts | {"members": 5}, Evidence()) and "90 % prediction interval" in (
        change_card(made.facts | {"members": 5}, Evidence())
    )
    assert HTML not in card
