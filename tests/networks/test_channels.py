import pytest

from segcube.networks import channel_axes

UNET = {
    "input_channels": 2,
    "num_classes": 3,
    "n_stages": 2,
    "features_per_stage": [4, 8],
    "kernel_sizes": 3,
    "strides": [1, 2],
    "n_conv_per_stage_decoder": [1],
    "deep_supervision": True,
}
MEDNEXT = {"in_channels": 2, "out_channels": 3, "size": "S", "kernel_size": 3, "deep_supervision": True}


@pytest.mark.parametrize(
    ("name", "arguments", "stem", "heads"),
    [
        ("PlainConvUNet", UNET | {"n_conv_per_stage": 1}, "encoder.stages.0.0.convs.0.conv.weight", {0}),
        ("ResidualEncoderUNet", UNET | {"n_blocks_per_stage": 1}, "encoder.stem.convs.0.conv.weight", {0}),
        ("MedNeXtV1", MEDNEXT, "stem.weight", {0, 1}),
    ],
)
def test_stem_and_heads_are_found(name, arguments, stem, heads):
    axes = channel_axes(name, arguments)
    assert axes.inputs == {stem: 1}
    # Of the weights, and 0 of the biases; MedNeXt's heads are transposed convolutions
    assert set(axes.outputs.values()) == heads
    assert all("seg_layers" in name or name.startswith("out_") for name in axes.outputs)
