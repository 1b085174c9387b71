"""soc.toml and SOC_*: what is refused and how it is told, what overrides what, where paths start."""

import os
from pathlib import Path

import pytest
from pydantic import BaseModel, ValidationError

from soc_assets.errors import SettingsError
from soc_assets.project import Project, load_project
from soc_assets.rasters.steps import slots
from soc_assets.settings import (
    SEASONS,
    Band,
    Embedding,
    Rasters,
    ReferenceGrid,
    Sampling,
    Soil,
    SoilTable,
    Study,
    Training,
)
from soc_assets.settings.loading import Settings

REPOSITORY = Path(__file__).parents[2]


def load(folder: Path, text: str) -> Project:
    path = folder / "soc.toml"
    path.write_text(text)
    return load_project(path)


def refusal(folder: Path, text: str) -> str:
    with pytest.raises(SettingsError) as caught:
        load(folder, text)
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[sampling]\nbatchsize = 8", "[sampling] has no key 'batchsize'; the nearest is batch_size"),
        ("[smapling]\nseed = 1", "there is no table [smapling]; the nearest is sampling"),
        ("[study]\nimage_size = 96", "[study] has no key 'image_size'; it belongs in [embedding]"),
        ("[soil.columns]\nlongitud = 'x'", "[soil.columns] has no key 'longitud'"),
        ('[rasters]\nbands = [{ name = "Elevation", kind = "static", patern = "x" }]', "the nearest is pattern"),
        ("image_size = 96", "it belongs in [embedding]"),
        ('[[soil.tables]]\nfile = "a.csv"\nunits = "%"', "has no key 'units'; the nearest is unit"),
        ('[[soil.tables]]\nfile = "a.csv"\ncolumns = { longitud = "x" }', "the nearest is longitude"),
    ],
)
def test_unknown_key_is_refused_with_the_file_and_the_nearest_or_its_table(tmp_path, text, expected):
    message = refusal(tmp_path, text)
    assert str(tmp_path / "soc.toml") in message
    assert expected in message


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('[sampling]\nbatch_size = "many"', ("sampling.batch_size", "'many'")),
        ("[sampling]\nbatch_size = 0", ("sampling.batch_size", "greater than or equal to 1", "found 0")),
        ("[sampling]\nvalidation_fraction = 0.6\ntest_fraction = 0.4", ("sampling", "something to train on")),
        ("[study]\nyear_from = 2020\nyear_to = 2019", ("study", "year_to (2019) lies before year_from (2020)")),
        ("[study]\nmax_oc = -1", ("study.max_oc", "found -1")),
        ("[embedding]\nimage_size = 100", ("embedding", "image_size = 100 is not a multiple of 16")),
        ('[embedding]\nstage = "decoder"', ("embedding.stage", "'patch_embed' or 'encoder'", "'decoder'")),
        ("[training]\nhidden = [0]", ("training.hidden.0", "found 0")),
        ("[training]\ndropout = 1.0", ("training.dropout", "less than 1")),
        ('[rasters]\nreference = "Slope"', ("rasters", "'Slope' is not among the static bands")),
        ('[rasters]\nyearly_pattern = "{band}_{yaer}.tif"', ("rasters", "has {yaer}; known are {band}, {year}")),
        ('[rasters]\nbands = [{ name = "E", kind = "weekly" }]', ("rasters.bands.0.kind", "'weekly'")),
        ("study = 3", ("study", "found 3")),
        ('[soil]\ndepth = "deep"', ("soil.depth", "topsoil", "'deep'")),
        ('[[soil.tables]]\nfile = "a.csv"\nunit = "g"', ("soil.tables.0.unit", "'organic_matter_%'", "'g'")),
        ('[[soil.tables]]\nfile = "a"\ndecimal = ","\nseparator = ","', ("soil.tables.0", "are both ','")),
    ],
)
def test_wrong_value_is_refused_with_key_and_what_was_found(tmp_path, text, expected):
    message = refusal(tmp_path, text)
    assert all(part in message for part in expected), message


def test_all_mistakes_are_told_at_once(tmp_path):
    message = refusal(tmp_path, "[study]\nmax_oc = -1\n[training]\nepoch = 3")
    assert "study.max_oc" in message
    assert "the nearest is epochs" in message


def test_bands_named_twice_are_refused(tmp_path):
    bands = '[rasters]\nreference = "E"\nbands = [{ name = "E", kind = "static" }, { name = "A" }, { name = "A" }]'
    assert "bands named twice: A" in refusal(tmp_path, bands)


def test_toml_that_cannot_be_read_names_file_and_line(tmp_path):
    message = refusal(tmp_path, "[study]\nmax_oc = = 3")
    assert message.startswith(f"{tmp_path / 'soc.toml'} is not valid TOML")
    assert "line 2" in message


def test_environment_overrides_the_file_and_the_file_the_default(tmp_path, monkeypatch):
    monkeypatch.setenv("SOC_STUDY__MAX_OC", "80")
    monkeypatch.setenv("SOC_TRAINING__HIDDEN", "[32, 16, 8]")
    monkeypatch.setenv("SOC_RASTERS__BANDS", '[{"name": "Elevation", "kind": "static"}, {"name": "NDVI"}]')
    settings = load(tmp_path, "[study]\nmax_oc = 100\nyear_to = 2018\n[training]\nepochs = 3").settings
    assert (settings.study.max_oc, settings.study.year_to, settings.study.year_from) == (80, 2018, 2012)
    assert (settings.training.hidden, settings.training.epochs) == ((32, 16, 8), 3)
    assert [(band.name, band.kind) for band in settings.rasters.bands] == [("Elevation", "static"), ("NDVI", "yearly")]


def test_reference_grid_can_be_set_in_the_file_and_the_environment(tmp_path, monkeypatch):
    text = '[rasters.grid]\ncrs = "EPSG:25832"\nresolution = 250'
    assert load(tmp_path, text).settings.rasters.grid == ReferenceGrid(crs="EPSG:25832", resolution=250)
    monkeypatch.setenv("SOC_RASTERS__GRID__RESOLUTION", "100")
    assert load(tmp_path, text).settings.rasters.grid == ReferenceGrid(crs="EPSG:25832", resolution=100)
    wrong = text.replace("250", "250\nbounds = [3, 0, 1, 1]")
    assert "bounds must be [left, bottom, right, top]" in refusal(tmp_path, wrong)


def test_variable_that_is_no_setting_names_the_nearest(tmp_path, monkeypatch):
    monkeypatch.setenv("SOC_EMBEDDING__STAGES", "encoder")
    message = refusal(tmp_path, "")
    assert "SOC_EMBEDDING__STAGES is not a setting; the nearest is SOC_EMBEDDING__STAGE" in message


def test_list_that_is_not_json_is_told_without_a_traceback(tmp_path, monkeypatch):
    monkeypatch.setenv("SOC_TRAINING__HIDDEN", "512,256")
    message = refusal(tmp_path, "")
    assert "JSON" in message
    assert "SOC_TRAINING__HIDDEN" in message


def test_wrong_value_in_the_environment_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("SOC_SAMPLING__BATCH_SIZE", "big")
    assert "sampling.batch_size" in refusal(tmp_path, "")


def test_settings_file_named_by_the_environment_must_exist(tmp_path, monkeypatch):
    monkeypatch.setenv("SOC_CONFIG", str(tmp_path / "gone.toml"))
    with pytest.raises(SettingsError, match=r"SOC_CONFIG names .*gone\.toml, which does not exist"):
        load_project()
    with pytest.raises(SettingsError, match=r"settings file .*other\.toml does not exist"):
        load_project(tmp_path / "other.toml")


def test_settings_file_is_found_from_a_folder_below(tmp_path, monkeypatch):
    load(tmp_path, "[study]\nmax_oc = 99")
    (tmp_path / "a/b").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "a/b")
    assert load_project().settings.study.max_oc == 99
    assert load_project().root == tmp_path


def test_settings_file_of_the_environment_goes_before_the_one_beside(tmp_path, monkeypatch):
    load(tmp_path, "[study]\nmax_oc = 99")
    (tmp_path / "other.toml").write_text("[study]\nmax_oc = 98")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SOC_CONFIG", str(tmp_path / "other.toml"))
    assert load_project().settings.study.max_oc == 98


def test_without_a_settings_file_the_defaults_hold_in_the_current_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    project = load_project()
    assert (project.settings.model_dump(), project.root) == (Settings().model_dump(), tmp_path)


def test_relative_paths_start_at_the_settings_file_and_absolute_ones_stay(tmp_path, monkeypatch):
    folder = tmp_path / "project"
    folder.mkdir()
    elsewhere = tmp_path / "elsewhere"
    monkeypatch.chdir(tmp_path)
    text = f'[paths]\ndata = "out"\nsoil = "../soil"\nrasters = "{elsewhere}"\n[embedding]\ncheckpoint = "c/w.pth"'
    project = load(folder, text)
    assert (project.data, project.soil, project.rasters) == (folder / "out", tmp_path / "soil", elsewhere)
    assert project.checkpoint == folder / "c/w.pth"
    assert project.mlruns == folder / "mlruns"
    assert project.samples("folds") == folder / "out/samples/folds.parquet"
    assert (project.catalog, project.database) == (folder / "out/catalog/rasters.parquet", folder / "out/soc.duckdb")
    assert project.region is None
    assert project.dagster_home == folder / ".dagster"


def test_settings_cannot_be_changed_once_loaded():
    settings = Settings()
    for section, name in ((settings, "study"), (settings.study, "max_oc"), (settings.rasters.bands[0], "name")):
        with pytest.raises(ValidationError, match="frozen"):
            setattr(section, name, getattr(section, name))


def test_shipped_settings_file_says_the_defaults():
    found, defaults = load_project(REPOSITORY / "soc.toml").settings, Settings()
    assert found.training.scale_input_rate  # new projects have it; the default keeps the numbers of earlier ones
    training = found.training.model_copy(update={"scale_input_rate": False})
    assert found.model_copy(update={"training": training}).model_dump() == defaults.model_dump()


def test_same_settings_are_equal_wherever_they_come_from(tmp_path):
    assert load(tmp_path, "").settings == load(tmp_path, "[study]\nmax_oc = 150").settings == Settings()


def test_defaults_are_those_of_the_study():
    settings = Settings()
    study, embedding, sampling, training = settings.study, settings.embedding, settings.sampling, settings.training
    assert study == Study(year_from=2012, year_to=2023, time_before=5, first_lag=0, max_oc=150)
    assert (embedding.model, embedding.image_size, embedding.drop_path) == ("vit_base_patch8", 96, 0.1)
    assert (sampling.n_bins, sampling.min_ratio, sampling.min_per_bin, sampling.batch_size) == (128, 0.75, 5, 256)
    assert (sampling.validation_fraction, sampling.test_fraction, sampling.seed) == (0.16, 0.2, 42)
    assert (training.hidden, training.dropout, training.learning_rate) == ((512, 256), 0.3, 1e-3)
    assert (training.batch_size, training.epochs) == (32, 50)
    width = 768
    assert len(slots(settings.rasters.bands, "Elevation", study.time_before)) * width == 19_968


def sections(model: type[BaseModel]) -> list[type[BaseModel]]:
    found = [model]
    for field in model.model_fields.values():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            found += sections(field.annotation)
    return found


def test_every_field_says_what_it_means():
    fields = {
        f"{section.__name__}.{name}": field.description
        for section in [*sections(Settings)[1:], Band, SoilTable]
        for name, field in section.model_fields.items()
    }
    assert len(fields) > 50
    assert [name for name, description in fields.items() if not description] == []


def test_kinds_of_bands_decide_whether_samples_need_dates_and_seasons():
    static = Rasters(bands=(Band(name="Elevation", kind="static"),))
    seasonal = Rasters(bands=(Band(name="Elevation", kind="static"), Band(name="NDVI", kind="seasonal")))
    assert (static.timed, static.seasonal) == (False, False)
    assert (Rasters().timed, Rasters().seasonal) == (True, False)
    assert (seasonal.timed, seasonal.seasonal) == (True, True)
    assert len(SEASONS) == 4


def test_own_pattern_of_a_band_goes_before_that_of_its_kind():
    own = Band(name="LAI", pattern="lai/{year}.tif")
    assert Rasters().pattern_of(own) == "lai/{year}.tif"
    assert Rasters().pattern_of(Band(name="LAI")) == "yearly/{band}/{band}_{year}.tif"


def test_no_setting_leaks_in_from_outside():
    assert [name for name in os.environ if name.startswith("SOC_")] == []
    assert (Embedding(), Sampling(), Soil(), Training()) == (
        Settings().embedding, Settings().sampling, Settings().soil, Settings().training,
    )  # fmt: skip
