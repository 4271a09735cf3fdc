import numpy as np
import pytest

from segcube.phantoms.physics import Properties, PropertyRanges, Sequence, brightness, enhance, nulling_time

WATER = Properties(1.0, 1000.0, 100.0)


def test_a_spin_echo_recovers_by_t1_and_decays_by_t2():
    # TR = T1 ln 2 recovers one half; TE = T2 ln 2 leaves one half
    sequence = Sequence(tr=693.14718, te=69.314718)
    assert brightness(Properties(0.8, 1000, 100), sequence) == pytest.approx(0.8 * 0.5 * 0.5)


def test_a_gradient_echo_of_60_degrees():
    # E1 = 0.5: sin 60 * 0.5 / (1 - 0.5 * 0.5)
    assert brightness(WATER, Sequence(tr=693.14718, te=0, flip_deg=60)) == pytest.approx(0.866025 * 2 / 3)


def test_an_inversion_recovery_shows_magnitudes():
    # exp(-TI / T1) = 1/4 and exp(-TR / T1) = 1/16: |1 - 1/2 + 1/16|
    assert brightness(WATER, Sequence(tr=2772.5887, te=0, ti=1386.2944)) == pytest.approx(0.5625)
    # At once after the inversion: |1 - 2 + 1/16|
    assert brightness(WATER, Sequence(tr=2772.5887, te=0, ti=0)) == pytest.approx(0.9375)


def test_the_nulling_time_gives_no_signal():
    time = nulling_time(4000, 9000)
    assert time == pytest.approx(4000 * np.log(2 / (1 + np.exp(-2.25))))
    assert brightness(Properties(1.0, 4000, 2000), Sequence(9000, 100, time)) == pytest.approx(0, abs=1e-12)


def test_gadolinium_adds_relaxation_rates():
    # 1 / T1: 1 + 1 per s; 1 / T2: 10 + 1.2 per s
    agent = enhance(WATER, 1.0)
    assert (agent.pd, agent.t1, agent.t2) == pytest.approx((1.0, 500.0, 1000 / 11.2))


def test_properties_are_drawn_within_their_ranges():
    ranges = PropertyRanges((0.7, 0.8), (600, 900), (70, 90))
    assert ranges.at(0.0, 0.5, 1.0) == Properties(0.7, 750, 90)
    drawn = [ranges.draw(np.random.default_rng(seed)) for seed in range(50)]
    assert min(d.t1 for d in drawn) >= 600
    assert max(d.t1 for d in drawn) <= 900
    assert np.ptp([d.t1 for d in drawn]) > 200
