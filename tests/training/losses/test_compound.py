import pytest
import torch
from monai.losses import DiceLoss, FocalLoss, HausdorffDTLoss

from segcube.core import UsageError
from segcube.spec.challenges import load_challenge
from segcube.spec.submission import Outputs
from segcube.training.losses import (
    IGNORE,
    OUTSIDE,
    LossOutputs,
    build_loss,
    is_divisible,
    loss_outputs,
    make_target,
)
from segcube.training.losses.compound import supervision_weights
from segcube.training.recipes import Loss

REGIONS = LossOutputs("regions", ((1, 2, 3), (1, 3), (3,)))
LABELS = LossOutputs("labels", ((0,), (1,), (2,)))


def random_pair(outputs, seed=0, size=6):
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(2, len(outputs.labels), size, size, size, generator=generator)
    labels = torch.randint(0, 4, (2, size, size, size), generator=generator, dtype=torch.uint8)
    return logits.requires_grad_(), labels


def assert_equal_with_gradient(ours, theirs, logits):
    (gradient,) = torch.autograd.grad(ours, logits, retain_graph=True)
    (expected,) = torch.autograd.grad(theirs, logits)
    torch.testing.assert_close(ours, theirs)
    torch.testing.assert_close(gradient, expected)


@pytest.mark.parametrize("batch", [False, True])
@pytest.mark.parametrize("outputs", [REGIONS, LABELS], ids=["regions", "labels"])
def test_dice_and_focal_equal_monai(outputs, batch):
    logits, labels = random_pair(outputs)
    loss = build_loss(
        Loss(dice="monai", entropy="focal", supervision="none", background=True), outputs, batch_dice=batch
    )
    sigmoid = outputs.kind == "regions"
    dice = DiceLoss(sigmoid=sigmoid, softmax=not sigmoid, batch=batch)
    focal = FocalLoss(gamma=2.0, use_softmax=not sigmoid)
    masks = make_target(labels, outputs).masks_bkxyz.float()
    reference = dice(logits, masks) + focal(logits, masks)
    assert_equal_with_gradient(loss([logits], labels)["loss"], reference, logits)


def test_dice_without_background_equals_monai():
    logits, labels = random_pair(LABELS)
    loss = build_loss(Loss(dice="monai", entropy="none", supervision="none"), LABELS, batch_dice=False)
    masks = make_target(labels, LABELS).masks_bkxyz.float()
    reference = DiceLoss(softmax=True, include_background=False)(logits, masks)
    assert_equal_with_gradient(loss([logits], labels)["loss"], reference, logits)


def test_a_large_smooth_forgives_few_voxels_of_an_absent_class():
    loss = Loss(dice="monai", entropy="none", supervision="none", dice_smooth=8.0)
    labels = torch.zeros((1, 2, 2, 2), dtype=torch.uint8)
    # Probabilities of one half in 8 voxels, and none in the target: 1 - 8 / (4 + 8)
    found = build_loss(loss, REGIONS, batch_dice=False)([torch.zeros(1, 3, 2, 2, 2)], labels)["loss"]
    torch.testing.assert_close(found, torch.tensor(1 / 3))


def test_outside_counts_as_background_and_a_label_of_no_channel_too():
    labels = torch.tensor([0, 1, 2, 3, OUTSIDE], dtype=torch.uint8).reshape(1, 5, 1, 1)
    masks = make_target(labels, LABELS).masks_bkxyz[0, :, :, 0, 0].int()
    assert masks.tolist() == [[1, 0, 0, 1, 1], [0, 1, 0, 0, 0], [0, 0, 1, 0, 0]]


@pytest.mark.parametrize("entropy", ["auto", "focal", "topk"])
def test_ignored_voxels_change_nothing(entropy):
    outputs = LossOutputs("labels", LABELS.labels, ignore=True)
    logits, labels = random_pair(outputs)
    labels[:, :3] = IGNORE
    loss = build_loss(Loss(entropy=entropy, supervision="none"), outputs, batch_dice=False)
    found = loss([logits], labels)["loss"]
    (gradient,) = torch.autograd.grad(found, logits)
    assert gradient[:, :, :3].abs().max() == 0
    changed = logits.detach().clone()
    changed[:, :, :3] = 5.0
    torch.testing.assert_close(loss([changed], labels)["loss"], found)


def test_the_mean_over_voxels_leaves_out_ignored_ones():
    outputs = LossOutputs("labels", LABELS.labels, ignore=True)
    logits, labels = random_pair(outputs)
    loss = build_loss(Loss(dice="none", supervision="none"), outputs, batch_dice=False)
    expected = loss([logits[:, :, 3:]], labels[:, 3:])["loss"]
    labels[:, :3] = IGNORE
    torch.testing.assert_close(loss([logits], labels)["loss"], expected)


@pytest.mark.parametrize("outputs", [REGIONS, LABELS], ids=["regions", "labels"])
def test_a_batch_of_ignored_voxels_has_a_finite_gradient(outputs):
    outputs = LossOutputs(outputs.kind, outputs.labels, ignore=True)
    logits, labels = random_pair(outputs)
    labels[:] = IGNORE
    loss = build_loss(Loss(supervision="none"), outputs, batch_dice=True)
    (gradient,) = torch.autograd.grad(loss([logits], labels)["loss"], logits)
    assert gradient.isfinite().all()


def test_deep_supervision_weights():
    assert supervision_weights("nnunet", 5) == [8 / 15, 4 / 15, 2 / 15, 1 / 15, 0]
    assert supervision_weights("mednext", 3) == [1, 0.5, 0.25]
    assert supervision_weights("none", 2) == [1, 0]
    assert supervision_weights("nnunet", 1) == [1]


def test_lower_resolutions_are_weighted():
    logits, labels = random_pair(LABELS, size=8)
    lower = torch.randn(2, 3, 4, 4, 4)
    loss = build_loss(Loss(supervision="mednext"), LABELS, batch_dice=False)
    single = build_loss(Loss(supervision="none"), LABELS, batch_dice=False)
    halved = labels[:, ::2, ::2, ::2]
    expected = single([logits], labels)["loss"] + 0.5 * single([lower], halved)["loss"]
    torch.testing.assert_close(loss([logits, lower], labels)["loss"], expected)


def test_the_parts_add_up():
    logits, labels = random_pair(REGIONS)
    loss = build_loss(Loss(dice_weight=2.0, supervision="none"), REGIONS, batch_dice=False)
    found = loss([logits], labels)
    torch.testing.assert_close(found["loss"], 2 * found["dice"] + found["entropy"])


@pytest.mark.parametrize("ignore", [False, True])
@pytest.mark.parametrize("entropy", ["auto", "focal"])
@pytest.mark.parametrize("outputs", [REGIONS, LABELS], ids=["regions", "labels"])
def test_the_losses_of_parts_add_up_to_that_of_the_batch(outputs, entropy, ignore):
    outputs = LossOutputs(outputs.kind, outputs.labels, ignore)
    logits, labels = random_pair(outputs, size=8)
    lower = torch.randn(2, 3, 4, 4, 4, requires_grad=True)
    if ignore:
        labels[0, :5] = IGNORE
    loss = build_loss(Loss(entropy=entropy, supervision="mednext"), outputs, batch_dice=False)
    whole = loss([logits, lower], labels)
    pieces = [loss([logits[n], lower[n]], labels[n], labels) for n in (slice(0, 1), slice(1, 2))]
    for name, value in whole.items():
        torch.testing.assert_close(sum(piece[name] for piece in pieces), value)
    expected = torch.autograd.grad(whole["loss"], (logits, lower))
    found = torch.autograd.grad(sum(piece["loss"] for piece in pieces), (logits, lower))
    torch.testing.assert_close(found, expected)


def test_a_loss_of_the_whole_batch_is_not_divisible():
    assert is_divisible(Loss(), batch_dice=False)
    assert not is_divisible(Loss(entropy="topk"), batch_dice=False)
    assert not is_divisible(Loss(), batch_dice=True)
    assert is_divisible(Loss(batch_dice=False), batch_dice=True)
    assert is_divisible(Loss(dice="none"), batch_dice=True)


def test_an_entropy_that_does_not_fit_the_outputs_is_refused():
    with pytest.raises(UsageError, match="for a network of regions"):
        build_loss(Loss(entropy="ce"), REGIONS, batch_dice=False)


def test_outputs_are_indices_of_labels_ordered_by_value():
    challenge = load_challenge("brats2024-ssa")
    regions = loss_outputs(Outputs(kind="regions", names=("WT", "TC", "ET")), challenge)
    assert regions.labels == ((1, 2, 3), (1, 3), (3,))
    labels = loss_outputs(Outputs(kind="labels", names=("background", "ET", "SNFH")), challenge)
    assert labels.labels == ((0,), (3,), (2,))
    with pytest.raises(UsageError, match="unknown output XX"):
        loss_outputs(Outputs(kind="regions", names=("XX",)), challenge)


DISTANCE = {"weight": 0.75, "start": 0.5, "end": 1.0, "interval": 0.1}


@pytest.mark.parametrize("outputs", [REGIONS, LABELS], ids=["regions", "labels"])
def test_the_distance_equals_monai_and_shares_the_weight(outputs):
    logits, labels = random_pair(outputs)
    others = build_loss(Loss(supervision="none"), outputs, batch_dice=False)([logits], labels)["loss"]
    loss = build_loss(
        Loss.model_validate({"supervision": "none", "distance": DISTANCE}), outputs, batch_dice=False
    )
    masks = make_target(labels, outputs).masks_bkxyz.float()
    sigmoid = outputs.kind == "regions"
    published = HausdorffDTLoss(alpha=2.0, include_background=sigmoid, sigmoid=sigmoid, softmax=not sigmoid)
    reference = 0.25 * others + 0.75 * published(logits, masks)
    assert_equal_with_gradient(loss([logits], labels, progress=1.0)["loss"], reference, logits)
    assert torch.equal(loss([logits], labels, progress=0.4)["loss"], others)


def test_the_weight_of_the_distance_rises_in_steps():
    distance = Loss.model_validate({"distance": DISTANCE}).distance
    weights = [distance.weight_at(progress) for progress in (0.49, 0.5, 0.59, 0.6, 0.7, 0.95, 1.0)]
    assert weights == pytest.approx([0, 0.15, 0.15, 0.3, 0.45, 0.75, 0.75])


def test_a_distance_with_ignored_voxels_is_refused():
    outputs = LossOutputs("labels", LABELS.labels, ignore=True)
    with pytest.raises(UsageError, match=r"loss\.distance with an ignore label"):
        build_loss(Loss.model_validate({"distance": DISTANCE}), outputs, batch_dice=False)


def test_the_distance_of_a_divided_batch_adds_up():
    loss = build_loss(
        Loss.model_validate({"supervision": "none", "distance": DISTANCE}), LABELS, batch_dice=False
    )
    logits, labels = random_pair(LABELS)
    whole = loss([logits], labels, progress=1.0)["loss"]
    parts = sum(loss([logits[n : n + 1]], labels[n : n + 1], labels, 1.0)["loss"] for n in (0, 1))
    torch.testing.assert_close(parts, whole)
