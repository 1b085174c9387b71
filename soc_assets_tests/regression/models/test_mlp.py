import numpy as np
import torch

from soc_assets.regression.models.mlp import SocMlp


def fitted_network() -> SocMlp:
    torch.manual_seed(0)
    network = SocMlp(4, (6, 3))
    network.feature_mean.copy_(torch.tensor([1.0, 2.0, 3.0, 4.0]))
    network.feature_scale.copy_(torch.tensor([1.0, 10.0, 0.1, 2.0]))
    network.target_mean.fill_(20.0)
    network.target_scale.fill_(7.0)
    return network.eval()


def test_default_architecture_is_the_documented_one():
    shapes = [tuple(p.shape) for p in SocMlp(19968).parameters()]
    assert shapes == [(512, 19968), (512,), (256, 512), (256,), (1, 256), (1,)]
    assert [type(layer).__name__ for layer in SocMlp(8).rest] == ["ReLU", "Dropout", "Linear"] * 2
    assert SocMlp(8).rest[1].p == 0.3


def test_forward_is_the_standardised_path_in_units_of_the_target():
    network = fitted_network()
    raw = torch.tensor(np.random.default_rng(0).normal(size=(5, 4)), dtype=torch.float32)
    expected = network.hidden((raw - network.feature_mean) / network.feature_scale) * 7 + 20
    torch.testing.assert_close(network(raw), expected)
    torch.testing.assert_close(network.hidden(network.standardise_(raw.clone())) * 7 + 20, expected)


def test_nan_is_predicted_as_the_training_mean():
    network = fitted_network()
    holed = np.array([[5.0, np.nan, 3.2, np.nan]], dtype=np.float32)
    filled = np.array([[5.0, 2.0, 3.2, 4.0]], dtype=np.float32)
    np.testing.assert_array_equal(network.predict(holed), network.predict(filled))


def test_prediction_does_not_depend_on_chunks_or_on_training_mode():
    network = fitted_network()
    raw = np.random.default_rng(0).normal(size=(50, 4)).astype(np.float32)
    whole = network.predict(raw)
    np.testing.assert_allclose(network.train().predict(raw, chunk=7), whole, rtol=1e-6)
    assert network.training
    assert network.predict(raw[:0]).shape == (0,)


def test_no_hidden_layer_is_a_linear_model():
    network = SocMlp(4, ()).eval()
    assert [tuple(p.shape) for p in network.parameters()] == [(1, 4), (1,)]
    assert network(torch.zeros(3, 4)).shape == (3, 1)
