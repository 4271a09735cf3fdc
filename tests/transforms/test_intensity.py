import numpy as np

from segcube.transforms.normalization import int16_abs


def test_cuts_towards_zero_then_takes_the_absolute_value(array):
    image = int16_abs(array(np.array([-881.9, -0.7, 0.0, 0.9, 1200.5], dtype=np.float32)))

    assert image.tolist() == [881, 0, 0, 0, 1200]
    assert str(image.dtype).endswith("float32")


def test_wraps_past_int16_as_numpy_does(array):
    values = np.array([32767, 32768, 40000, -40000])

    assert int16_abs(array(values.astype(np.float32))).tolist() == np.abs(values.astype(np.int16)).tolist()
