"""Features as a map-style dataset of torch: random access to the batches' files with bounded memory.

A row group is read when one of its samples is asked for, and a few are kept. Any order works; `FileOrder` shuffles so
that every row group is read once per epoch.
"""

from collections import Counter, OrderedDict
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import Dataset, Sampler

from soc_assets.errors import FeaturesError
from soc_assets.features.images import batch_paths
from soc_assets.features.matrix import require_all
from soc_assets.features.selection import select
from soc_assets.project import Project


class FeatureDataset(Dataset[tuple[torch.Tensor, torch.Tensor]]):
    """Pairs of features [d] float32 and organic carbon (g/kg), of the samples of `load_features`.

    Args:
        split: train, validation or test, or several of them; None takes all.
        bands: names of bands; None takes all.
        project: a project, or its soc.toml; None looks for the soc.toml of the current folder.
        files_kept: files whose vectors are kept in memory, about 20 MB each with default settings.

    Attributes:
        samples: [n] rows of what is known of the samples, in the dataset's order.
        columns: [d] rows of feature_index.
    """

    def __init__(
        self,
        split: str | Sequence[str] | None = None,
        bands: Sequence[str] | None = None,
        project: Project | Path | None = None,
        files_kept: int = 4,
    ) -> None:
        self._selection = select(project, split, bands)
        if not self._selection.from_files:
            raise FeaturesError(
                "A dataset streams images from files: [features] in soc.toml must have alignment = 'lag' and "
                "include = ['embedding']; load_features reads the others."
            )
        self.samples, self.columns = self._selection.samples, self._selection.columns
        paths = {path.name.partition("_size_")[0]: path for path in batch_paths(self._selection.contents.folder)}
        self._paths = [paths[batch] for batch in self.samples["batch"]]
        self._in_file = Counter(self._paths)
        self._carbon = torch.from_numpy(self.samples["organic_carbon"].to_numpy(np.float32))
        self._kept: OrderedDict[Path, dict[int, torch.Tensor]] = OrderedDict()
        self._files_kept = files_kept

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Features [d] and organic carbon of one sample.

        Raises:
            FeaturesError: its file changed meanwhile.
        """
        if not -len(self) <= index < len(self):
            raise IndexError(index)
        index %= len(self)
        return self._of_file(self._paths[index])[index], self._carbon[index]

    def files(self) -> list[np.ndarray]:
        """Positions of the samples of each file."""
        names = np.array([str(path) for path in self._paths])
        return [np.flatnonzero(names == name) for name in dict.fromkeys(names)]

    def _of_file(self, path: Path) -> dict[int, torch.Tensor]:
        if path not in self._kept:
            while len(self._kept) >= self._files_kept:
                self._kept.popitem(last=False)
            found: dict[int, torch.Tensor] = {}
            for rows, values in self._selection.row_blocks([path]):
                found |= dict(zip(rows.tolist(), torch.from_numpy(values), strict=True))
            require_all(len(found), self._in_file[path], path)
            self._kept[path] = found
        self._kept.move_to_end(path)
        return self._kept[path]


class FileOrder(Sampler[int]):
    """A random order in which each file is read once: files are shuffled, and samples within a few of them.

    Args:
        dataset: the dataset.
        files_at_once: files whose samples are mixed; at most the dataset's `files_kept`.
        seed: of the first epoch; each further epoch has an order of its own.
    """

    def __init__(self, dataset: FeatureDataset, files_at_once: int = 4, seed: int = 0) -> None:
        self._files, self._at_once, self._seed = dataset.files(), files_at_once, seed
        self._length, self._epoch = len(dataset), 0

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[int]:
        rng = np.random.default_rng([self._seed, self._epoch])
        self._epoch += 1
        order = rng.permutation(len(self._files))
        for first in range(0, len(order), self._at_once):
            together = np.concatenate([self._files[n] for n in order[first : first + self._at_once]])
            yield from rng.permutation(together).tolist()
