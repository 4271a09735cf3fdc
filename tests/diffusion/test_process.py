import itertools

import numpy as np
import pytest
import torch
from monai.networks.schedulers import DDIMScheduler, DDPMScheduler, RFlowScheduler

from segcube.diffusion.process import build_process
from segcube.diffusion.recipe import ProcessRules

LIMITS = (-2.0, 3.0)


def process_of(**rules):
    return build_process(ProcessRules(**rules), LIMITS)


@pytest.fixture
def image():
    return torch.randn(2, 1, 3, 4, 5, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def noise():
    return torch.randn(2, 1, 3, 4, 5, generator=torch.Generator().manual_seed(2))


def test_the_flow_is_a_straight_line_from_image_to_noise(image, noise):
    noised = process_of().add_noise(image, noise, torch.tensor([0.25, 1.0]))
    torch.testing.assert_close(noised.noisy_bcxyz[0], 0.75 * image[0] + 0.25 * noise[0])
    torch.testing.assert_close(noised.noisy_bcxyz[1], noise[1])
    torch.testing.assert_close(noised.target_bcxyz, image - noise)


def test_the_flow_equals_monai_s(image, noise):
    monai = RFlowScheduler(num_train_timesteps=1000, use_discrete_timesteps=False)
    times = torch.tensor([250.0, 500.0])
    ours = process_of(sampling_steps=4)
    torch.testing.assert_close(
        ours.add_noise(image, noise, times / 1000).noisy_bcxyz, monai.add_noise(image, noise, times)
    )
    monai.set_timesteps(4)
    assert [float(time) / 1000 for time in monai.timesteps] == list(ours.times())[:-1]
    expected, _ = monai.step(noise, 750, image, 500)
    torch.testing.assert_close(ours.step(image, noise, 0.75, 0.5, torch.Generator()), expected)


def test_a_flow_with_the_true_direction_ends_at_the_image(image, noise):
    process, noisy = process_of(sampling_steps=7), noise
    times = process.times()
    for now, after in itertools.pairwise(times):
        noisy = process.step(noisy, image - noise, now, after, torch.Generator())
    torch.testing.assert_close(noisy, image)


def test_ddpm_adds_the_noise_of_monai_s_cosine_schedule(image, noise):
    monai = DDPMScheduler(num_train_timesteps=250, schedule="cosine")
    ours = process_of(kind="ddpm", noise_steps=250, sampling_steps=10)
    # MONAI numbers the steps from 0
    steps = torch.tensor([1, 200])
    noised = ours.add_noise(image, noise, steps / 250)
    expected = monai.add_noise(image, noise, steps - 1)
    torch.testing.assert_close(noised.noisy_bcxyz, expected, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(noised.target_bcxyz, noise)


def test_ddim_steps_equal_monai_s(image, noise):
    monai = DDIMScheduler(num_train_timesteps=100, schedule="cosine", clip_sample=False)
    monai.set_timesteps(100)
    ours = build_process(ProcessRules(kind="ddpm", noise_steps=100, sampling_steps=100), (-99.0, 99.0))
    expected, _ = monai.step(noise, 49, image)
    found = ours.step(image, noise, 0.5, 0.49, torch.Generator())
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)


def test_ddpm_steps_equal_monai_s_with_clipped_images(image, noise):
    monai = DDPMScheduler(
        num_train_timesteps=100, schedule="cosine", clip_sample=True, clip_sample_min=-2, clip_sample_max=3
    )
    ours = process_of(kind="ddpm", noise_steps=100, sampling_steps=100, eta=1.0)
    expected, _ = monai.step(noise, 49, image, generator=torch.Generator().manual_seed(3))
    found = ours.step(image, noise, 0.5, 0.49, torch.Generator().manual_seed(3))
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)


def test_ddpm_adds_fresh_noise_but_not_to_the_image_itself(image, noise):
    ours = process_of(kind="ddpm", noise_steps=100, sampling_steps=100, eta=1.0)
    one, other = (ours.step(image, noise, 0.5, 0.49, torch.Generator().manual_seed(seed)) for seed in (1, 2))
    assert not torch.equal(one, other)
    last = ours.step(image, noise, 0.01, 0.0, torch.Generator().manual_seed(1))
    assert LIMITS[0] <= float(last.min())
    assert float(last.max()) <= LIMITS[1]
    torch.testing.assert_close(last, ours.step(image, noise, 0.01, 0.0, torch.Generator().manual_seed(2)))


def test_the_variance_of_ddpm_s_fresh_noise():
    """Of Ho et al. 2020, beta-tilde: (1 - a_prev) / (1 - a) * (1 - a / a_prev)."""
    ours = process_of(kind="ddpm", noise_steps=100, sampling_steps=100, eta=1.0)
    zero = torch.zeros(1, 1, 60, 60, 60)
    generator = torch.Generator().manual_seed(0)
    found = float(ours.step(zero, zero, 0.5, 0.49, generator).var())
    now, after = ours._signal[50], ours._signal[49]
    assert found == pytest.approx((1 - after) / (1 - now) * (1 - now / after), rel=0.02)


def test_times_of_few_ddpm_steps_are_whole_steps():
    times = process_of(kind="ddpm", noise_steps=250, sampling_steps=7).times()
    assert times[0] == 1.0
    assert times[-1] == 0.0
    assert all(time * 250 == pytest.approx(round(time * 250)) for time in times)
    assert list(times) == sorted(times, reverse=True)


def test_logit_normal_times_lie_in_the_middle():
    rng = np.random.default_rng(0)
    even, middle = process_of(), process_of(times="logit-normal")
    assert np.std([even.draw_time(rng) for _ in range(2000)]) == pytest.approx(12**-0.5, abs=0.02)
    assert np.std([middle.draw_time(rng) for _ in range(2000)]) == pytest.approx(0.208, abs=0.02)
