"""A device without memory for a whole batch of images: it is halved until it fits, and the embeddings are the same."""

import weakref

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from soc_assets.embedding.encoder.encoder import Encoder, load_encoder
from soc_assets.errors import EmbeddingError
from soc_assets_tests.embedding.conftest import small_base  # noqa: F401 - a fixture
from soc_assets_tests.embedding.world import World
from soc_assets_tests.faults import processes

IMAGES = 1500
ERRORS = [
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
    RuntimeError("[enforce fail at alloc_cpu.cpp:124] err == 0. DefaultCPUAllocator: can't allocate memory"),
    RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
]


def test_process_with_too_little_memory_halves_its_images_and_goes_on(tmp_path):
    expected, at_once = processes.embed_with_little_memory(tmp_path / "much", IMAGES, None)
    assert at_once == IMAGES
    vectors, at_once = processes.embed_with_little_memory(tmp_path / "little", IMAGES, 160)
    assert IMAGES // 8 <= at_once <= IMAGES // 2, "what did not fit is freed before the halves are tried"
    assert_allclose(vectors, expected, rtol=1e-4, atol=1e-5)


@pytest.fixture
def encoder(tmp_path, small_base) -> Encoder:  # noqa: F811
    return load_encoder(World(tmp_path, stage="encoder").spec, None, 0, "cpu", images_at_once=16)


def scenes() -> list[np.ndarray]:
    return [np.random.default_rng(n).normal(size=(n, 1, 16, 16)).astype(np.float32) for n in (7, 9)]


@pytest.mark.parametrize("error", ERRORS, ids=["cuda", "cpu", "cublas"])
@pytest.mark.parametrize("most", [1, 3, 8])
def test_errors_of_every_allocator_halve(encoder, monkeypatch, error, most):
    expected = list(encoder.stream(scenes()))
    grouped, did_not_fit = encoder._network.grouped, []

    def forward(images):
        assert [kept for kept in did_not_fit if kept() is not None] == [], "still in memory"
        if len(images) > most:
            did_not_fit.append(weakref.ref(images))
            raise type(error)(str(error))  # a new one: an error that is kept keeps what its frames hold
        return grouped(images)

    monkeypatch.setattr(encoder._network, "grouped", forward)
    for one, other in zip(encoder.stream(scenes()), expected, strict=True):
        assert_allclose(one, other, rtol=1e-4, atol=1e-5)
    assert encoder.images_at_once <= max(most, 1)


def test_device_that_holds_no_image_is_named_and_other_errors_are_not_taken_for_it(encoder, monkeypatch):
    def fails(images):
        raise ERRORS[1]

    monkeypatch.setattr(encoder._network, "grouped", fails)
    with pytest.raises(EmbeddingError, match=r"The memory of cpu does not hold one image\. Free it\.$"):
        list(encoder.stream(scenes()))

    def breaks(images):
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    monkeypatch.setattr(encoder._network, "grouped", breaks)
    with pytest.raises(RuntimeError, match="shapes"):
        list(encoder.stream(scenes()))
