from __future__ import annotations

import numpy as np
import openvino as ov
import pytest
from openvino import opset13

from segcube.backends.openvino.models import weighted_sum

WINDOW = (1, 2, 4, 5, 6)
CHANNELS = 3


def kernel(outputs: int, inputs: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((outputs, inputs, 3, 3, 3)).astype(np.float32)


def convolve(node, outputs: int, seed: int, name: str = "", kernel_kcxyz=None):
    if kernel_kcxyz is None:
        kernel_kcxyz = kernel(outputs, node.get_output_shape(0)[1], seed)
    logits = opset13.convolution(node, kernel_kcxyz, [1] * 3, [1] * 3, [1] * 3, [1] * 3)
    logits.set_friendly_name(name or logits.get_friendly_name())
    return logits


def deep_model(name: str, seed: int) -> ov.Model:
    window = opset13.parameter(WINDOW, np.float32)
    features = opset13.tanh(convolve(window, 4, seed, f"{name} begins"))
    return ov.Model([opset13.result(convolve(features, CHANNELS, seed + 1, f"{name} ends"))], [window], name)


def run(model: ov.Model, seed: int = 0) -> np.ndarray:
    window_ncxyz = np.random.default_rng(seed).standard_normal(WINDOW).astype(np.float32)
    compiled = ov.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return compiled([window_ncxyz])[0].copy()


@pytest.mark.parametrize("count", [2, 4])
def test_a_sum_is_that_of_the_models_by_their_weights(count: int):
    weight_mk = np.arange(1, count * CHANNELS + 1, dtype=np.float64).reshape(count, CHANNELS)
    alone = np.stack([run(deep_model(str(m), m)) for m in range(count)])
    expected_nkxyz = np.einsum("mnkxyz,mk->nkxyz", alone, weight_mk)
    joint = weighted_sum([deep_model(str(m), m) for m in range(count)], weight_mk)
    np.testing.assert_allclose(run(joint), expected_nkxyz, rtol=1e-5, atol=1e-3)


def test_a_model_of_the_sum_begins_when_the_one_before_it_has_ended():
    joint = weighted_sum([deep_model(name, seed) for seed, name in enumerate("abc")], np.ones((3, CHANNELS)))
    ran = ov.Core().compile_model(joint, "CPU").get_runtime_model().get_ordered_ops()
    order = {}
    for node in ran:
        about = node.get_rt_info()
        for layer in about["originalLayersNames"].astype(str).split(","):
            order[layer] = int(about["execOrder"].astype(str))
    assert order["a begins"] < order["b begins"] < order["c begins"]
    for before, after in ("ab", "bc"):
        ends = [place for layer, place in order.items() if layer == f"{before} ends"]
        assert ends[0] < order[f"{after} begins"]
