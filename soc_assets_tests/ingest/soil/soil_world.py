"""Small soil files for the tests: rows made up, column names as they are in LUCAS and in tables of the Länder."""

import struct
from datetime import date
from pathlib import Path

import geopandas
import shapely

from soc_assets.ingest.soil.samples import SoilSamples

LUCAS_HEADER = (
    "Depth,POINTID,pH_CaCl2,pH_H2O,EC,OC,CaCO3,P,N,K,OC (20-30 cm),CaCO3 (20-30 cm),Ox_Al,Ox_Fe,NUTS_0,NUTS_1,NUTS_2,"
    "NUTS_3,TH_LAT,TH_LONG,SURVEY_DATE,Elev,LC,LU,LC0_Desc,LC1_Desc,LU1_Desc"
)


def lucas_row(point: int, oc: str, latitude="48.5", longitude="11.5", date="06-07-18", depth="0-20 cm") -> str:
    return (
        f"{depth},{point},4.1,4.8,8.7,{oc},3,< LOD,1.1,101.9,,,,,DE,DE2,DE21,DE21A,{latitude},{longitude},{date},"
        f'512,C23,U120,Woodland,"Grünland, mäßig",Forestry'
    )


def write(path: Path, *lines: str, encoding: str = "utf-8") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes("\n".join([*lines, ""]).encode(encoding))
    return path


def reasons(result: SoilSamples) -> dict[int, str]:
    return dict(zip(result.rejected["row"], result.rejected["reason"], strict=True))


def layer(columns: dict, x: list[float], y: list[float], crs: str | None = "EPSG:4326") -> geopandas.GeoDataFrame:
    return geopandas.GeoDataFrame(columns, geometry=list(shapely.points(x, y)), crs=crs)


def write_xls(path: Path, rows: list[list[str | float | date]], percent: int | None = None, hidden: int = 0) -> Path:
    """A workbook of one sheet in BIFF2, the oldest and simplest .xls: numbers, days and Latin-1 text.

    One column may be formatted as per cent, and one row hidden, both counted from 0 (row 0 is the header).
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    formats = [bytes([len(form)]) + form for form in (b"General", b"dd.mm.yyyy", b"0.00%")]
    records = [(0x0009, struct.pack("<HH", 2, 0x0010)), *((0x001E, form) for form in formats)]
    for row, cells in enumerate(rows):
        for column, cell in enumerate(cells):
            place = struct.pack("<HHxBx", row, column, 2 if row and column == percent else isinstance(cell, date))
            if isinstance(cell, str):
                text = cell.encode("latin-1")
                records.append((0x0004, place + bytes([len(text)]) + text))
            else:
                number = (cell - date(1899, 12, 30)).days if isinstance(cell, date) else cell
                records.append((0x0003, place + struct.pack("<d", number)))
    if hidden:
        records.append((0x0208, struct.pack("<H4xH4xi", hidden, 300, 1 << 5)))
    records.append((0x000A, b""))
    path.write_bytes(b"".join(struct.pack("<HH", code, len(content)) + content for code, content in records))
    return path
