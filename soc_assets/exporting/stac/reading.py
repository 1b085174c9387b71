"""The page beside published embeddings that says how their files are read, with pandas and numpy alone."""

from soc_assets.embedding.spec import Spec
from soc_assets.exporting.stac.fields import weights_in_words

_PAGE = """# Embeddings {digest}

{weights}. Each `batch_*.parquet` is GeoParquet 1.1 with a row per sample. `elevation_embedding` is the reference band,
`static_embeddings` and `channel_time_embeddings` map keys such as `LAI_2012` to the other images; each image is
{rows} x {width} numbers, null where the raster is missing. `collection.json` is a STAC collection; its items say where
and when the samples are and which rasters were read.

```python
import numpy as np
import pandas as pd

row = pd.read_parquet("{example}").iloc[0]
images = dict(row["channel_time_embeddings"])
{lines}
```
"""
_FLOATS = "vectors = {key: np.vstack(image) for key, image in images.items() if image is not None}"
_INT8 = """scales = dict(row["channel_time_scales"])  # of elevation_embedding: elevation_scale; static_scales
vectors = {
    key: np.vstack(image).astype("float32") * np.asarray(scales[key], "float32")[:, None]
    for key, image in images.items()
    if image is not None
}"""
_ROUNDING = """
Vectors are int8: a number is int8 * scale, and the scale of a vector is its largest absolute number divided by 127.
"""


def reading(spec: Spec, int8: bool, example: str) -> str:
    """The page, Markdown.

    Args:
        spec: the frozen spec.
        int8: whether the vectors are int8.
        example: the name of one of the files.
    """
    weights, (rows, width) = weights_in_words(spec), spec.shape
    page = _PAGE.format(
        digest=spec.digest,
        weights=weights[0].upper() + weights[1:],
        rows=rows,
        width=width,
        example=example,
        lines=_INT8 if int8 else _FLOATS,
    )
    return page + (_ROUNDING if int8 else "")
