from pathlib import Path

import pytest

from segcube.core import EnvironmentFault
from segcube.importers.nnunet.dataset import Dataset
from segcube.importers.nnunet.plans import Plans, read_configuration, read_part

FILE = Path("plans.json")


def test_a_configuration_inherits_what_it_leaves_out(made):
    content = made.plans()
    content["configurations"]["heir"] = {"inherits_from": "3d_fullres", "patch_size": [8, 32, 32]}

    found = read_configuration(read_part(Plans, content, FILE), "heir", FILE)

    assert found.patch_size == (8, 32, 32)
    assert found.spacing == (2.5, 0.9, 0.8)


def test_a_cycle_of_inheritance_is_refused(made):
    content = made.plans(inherits_from="3d_fullres")

    with pytest.raises(EnvironmentFault, match="inherits itself"):
        read_configuration(read_part(Plans, content, FILE), "3d_fullres", FILE)


def test_2d_is_a_network_of_one_slice(made):
    sizes = {"kernel_sizes": [[3, 3], [3, 3]], "strides": [[1, 1], [2, 2]]}
    operators = {"conv_op": "torch.nn.Conv2d", "norm_op": "torch.nn.InstanceNorm2d"}
    content = made.plans(name="2d", patch_size=[16, 24], spacing=[0.9, 0.8])
    content["configurations"]["2d"]["architecture"]["arch_kwargs"] |= sizes | operators

    found = read_configuration(read_part(Plans, content, FILE), "2d", FILE)

    arguments = found.architecture.arch_kwargs
    assert (found.patch_size, found.spacing, found.is_of_slices) == ((1, 16, 24), (None, 0.9, 0.8), True)
    assert (arguments["kernel_sizes"], arguments["strides"]) == ([[1, 3, 3]] * 2, [[1, 1, 1], [1, 2, 2]])
    assert arguments["conv_op"] == "torch.nn.Conv3d"


def test_a_2d_configuration_without_spacing_is_refused(made):
    content = made.plans(name="2d", patch_size=[16, 24])
    del content["configurations"]["2d"]["spacing"]
    with pytest.raises(EnvironmentFault, match="2d has no valid 'spacing'"):
        read_configuration(read_part(Plans, content, FILE), "2d", FILE)


def test_an_unknown_configuration_names_those_that_are_there(made):
    with pytest.raises(EnvironmentFault, match=r"no configuration 3d_lowres; expected one of 3d_fullres"):
        read_configuration(read_part(Plans, made.plans(), FILE), "3d_lowres", FILE)


def test_other_classes_than_nnunets_own_are_refused_by_name(made):
    for key, value in (
        ("image_reader_writer", "Tiff3DIO"),
        ("label_manager", "MyLabelManager"),
        ("preprocessor_name", "MyPreprocessor"),
    ):
        with pytest.raises(EnvironmentFault, match=value):
            read_configuration(read_part(Plans, made.plans(**{key: value}), FILE), "3d_fullres", FILE)


@pytest.mark.parametrize(
    ("network", "counts"),
    [("PlainConvUNet", "n_conv_per_stage"), ("ResidualEncoderUNet", "n_blocks_per_stage")],
)
def test_older_plans_are_converted(made, network, counts):
    content = made.plans(
        UNet_class_name=network,
        UNet_base_num_features=4,
        unet_max_num_features=10,
        n_conv_per_stage_encoder=[2, 3, 4],
        n_conv_per_stage_decoder=[1, 1],
        pool_op_kernel_sizes=[[1, 1, 1], [2, 2, 2], [2, 2, 2]],
        conv_kernel_sizes=[[3, 3, 3]] * 3,
    )
    del content["configurations"]["3d_fullres"]["architecture"]

    found = read_configuration(read_part(Plans, content, FILE), "3d_fullres", FILE).architecture

    assert found.network_class_name.endswith(f".{network}")
    assert found.arch_kwargs["features_per_stage"] == [4, 8, 10]
    assert found.arch_kwargs[counts] == [2, 3, 4]


def test_plans_without_a_network_are_refused(made):
    content = made.plans()
    del content["configurations"]["3d_fullres"]["architecture"]

    with pytest.raises(EnvironmentFault, match="UNet_class_name"):
        read_configuration(read_part(Plans, content, FILE), "3d_fullres", FILE)


def test_channels_come_in_the_order_of_their_numbers():
    content = {"channel_names": {"10": "k", "2": "c", "0": "a"}, "labels": {"background": 0}}

    assert read_part(Dataset, content, FILE).channels == ("a", "c", "k")


def test_older_datasets_call_channels_modality():
    assert read_part(Dataset, {"modality": {"0": "MR"}, "labels": {"background": 0}}, FILE).channels == (
        "MR",
    )


def test_other_content_than_plans_is_refused():
    with pytest.raises(EnvironmentFault, match="'image_reader_writer' is missing"):
        read_part(Plans, {}, FILE)


@pytest.mark.parametrize(("labels", "ignore"), [({"ignore": 2}, 2), ({"ignore": [2]}, 2), ({}, None)])
def test_the_ignore_label_is_no_label(labels, ignore):
    dataset = read_part(Dataset, {"labels": {"background": 0, "tumour": 1} | labels}, FILE)
    assert (dataset.ignore, dataset.outputs) == (ignore, ("background", "tumour"))
