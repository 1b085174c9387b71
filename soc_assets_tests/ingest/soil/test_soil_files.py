import pytest

from soc_assets.ingest.inputs import soil_inputs
from soc_assets.ingest.soil.files import campaign_of, find_inputs, find_tables
from soc_assets.project import Project, load_project
from soc_assets.sampling.inputs import sampling_inputs
from soc_assets.settings.loading import Settings
from soc_assets_tests.ingest.soil.soil_world import layer, write


@pytest.mark.parametrize(
    ("name", "year"),
    [
        ("LUCAS_TOPSOIL_v1", 2009),
        ("SoilAttr_LUCAS2009", 2009),
        ("SoilAttr_LUCAS_2012_BG_RO", 2012),
        ("LUCAS_Topsoil_2015_20200323", 2015),
        ("lucas-soil-2018", 2018),
        ("LUCAS_20180706", None),
        ("LUCAS_demo", None),
        ("Bulgaria_2012", None),
    ],
)
def test_campaign_is_read_off_lucas_names_only(name, year):
    assert campaign_of(name) == year


def test_every_file_of_a_shapefile_is_an_input_and_only_one_is_a_table(tmp_path):
    folder = tmp_path / "soil"
    folder.mkdir()
    layer({"OC": [1.0]}, [11.5], [48.5]).to_file(folder / "A.shp")
    write(folder / "b.csv", "x")
    write(folder / "notes.txt", "x")
    assert [path.name for path in find_tables(folder)] == ["A.shp", "b.csv"]
    assert [path.name for path in find_inputs(folder)] == ["A.cpg", "A.dbf", "A.prj", "A.shp", "A.shx", "b.csv"]


@pytest.mark.parametrize("suffix", [".dbf", ".prj", ".shp"])
def test_a_change_in_any_part_of_a_shapefile_makes_the_samples_stale(tmp_path, suffix):
    folder = tmp_path / "data/soil"
    folder.mkdir(parents=True)
    layer({"OC": [1.0]}, [11.5], [48.5]).to_file(folder / "a.shp")
    project = Project(tmp_path, Settings())
    before = soil_inputs(project)
    assert soil_inputs(project) == before
    path = folder / f"a{suffix}"
    path.write_bytes(path.read_bytes() + b" ")
    assert soil_inputs(project) != before


def test_a_changed_region_of_a_named_layer_makes_the_sampling_stale(tmp_path):
    path = write(tmp_path / "r.gpkg", "1")
    write(tmp_path / "soc.toml", "[study]", 'region = "r.gpkg|layer=north"')
    before = sampling_inputs(load_project(tmp_path / "soc.toml"))
    write(path, "2")
    assert sampling_inputs(load_project(tmp_path / "soc.toml")) != before
