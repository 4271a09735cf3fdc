import numpy as np
import pytest
import torch
import yaml

from segcube import load
from segcube.networks import build_network, save_network
from segcube.spec.challenges import load_challenge

NAME = "PlainConvUNet"
ARGUMENTS = {
    "input_channels": 1,
    "num_classes": 2,
    "n_stages": 2,
    "features_per_stage": [2, 4],
    "kernel_sizes": 3,
    "strides": [1, 2],
    "n_conv_per_stage": 1,
    "n_conv_per_stage_decoder": 1,
    "conv_bias": True,
    "nonlin": "torch.nn.LeakyReLU",
}


@pytest.fixture
def challenge():
    return load_challenge("brats2024-men-rt")


@pytest.fixture
def network():
    """A random network that labels about half of the voxels."""
    torch.manual_seed(0)
    made = build_network(NAME, ARGUMENTS).eval()
    head = made.decoder.seg_layers[-1]
    torch.nn.init.normal_(head.weight)
    with torch.no_grad():
        background, tumour = made(torch.randn(1, 1, 16, 16, 16))[0]
        head.bias[1] -= (tumour - background).median()
    return made


@pytest.fixture
def submission_of(tmp_path):
    """Write a submission of networks by name."""

    def write(folder, **networks):
        place = tmp_path / folder
        place.mkdir()
        members = []
        for name, network in networks.items():
            file = f"{name}.safetensors"
            members.append({"file": file, "sha256": save_network(network, NAME, ARGUMENTS, place / file)})
        branch = {
            "channels": ["t1c"],
            "outputs": {"kind": "labels", "names": ["background", "GTV"]},
            "window": {"size": [16, 16, 16], "plan": "monai"},
            "members": members,
        }
        stages = [{"name": "tumour", "branches": [branch]}]
        content = {"name": folder, "challenge": "brats2024-men-rt", "stages": stages}
        (place / "submission.yaml").write_text(yaml.safe_dump(content))
        return place

    return write


@pytest.fixture
def moved():
    """Move a network's weights along a random direction, `share` times."""

    def make(network, share, seed=1):
        made = build_network(NAME, ARGUMENTS).eval()
        generator = torch.Generator().manual_seed(seed)
        state = {
            name: tensor + share * torch.randn(tensor.shape, generator=generator)
            for name, tensor in network.state_dict().items()
        }
        made.load_state_dict(state)
        return made

    return make


@pytest.fixture
def validation_of(tmp_path, challenge, make_case, submission_of):
    """Cases with the labels that a network predicts: folders of cases and of labels."""

    def write(network, count=1):
        case_names = [challenge.made_case.format(number=number) for number in range(1, count + 1)]
        data, labels = tmp_path / "data", tmp_path / "labels"
        session = load(submission_of("truth", truth=network), device="cpu", backend="torch")
        for seed, name in enumerate(case_names):
            case = make_case(data, challenge, name, seed=seed)
            prediction = session.predict(case)
            assert 0 < np.count_nonzero(prediction.labels_xyz) < prediction.labels_xyz.size
            prediction.save(labels)
        return data, labels

    return write
