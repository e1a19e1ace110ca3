"""Picture metrics: closed forms, scikit-image as the independent reference, and properties."""

import numpy as np
import pytest

from ghbench.errors import DataError
from ghbench.metrics import image
from ghbench.metrics.image import mse, psnr, ssim


def pictures(count=3, shape=(3, 24, 31), seed=0):
    return np.random.default_rng(seed).uniform(-1, 1, (count, *shape)).astype(np.float32)


def test_a_constant_difference_has_its_square_as_error_and_its_closed_psnr():
    first = np.zeros((2, 3, 12, 12))
    second = first + np.array([0.5, 2.0])[:, None, None, None]
    np.testing.assert_allclose(mse(first, second), [0.25, 4.0])
    np.testing.assert_allclose(psnr(first, second), [10 * np.log10(16), 0.0], atol=1e-12)


def test_equal_pictures_are_as_alike_as_can_be():
    same = pictures()
    assert mse(same, same).tolist() == [0, 0, 0]
    assert np.isinf(psnr(same, same)).all()
    np.testing.assert_allclose(ssim(same, same), 1)


def test_ssim_of_two_flat_pictures_is_the_luminance_term():
    first, second = np.full((1, 3, 16, 16), -0.5), np.full((1, 3, 16, 16), 0.5)  # .25 and .75 on (x + 1) / 2
    expected = (2 * 0.25 * 0.75 + 1e-4) / (0.25**2 + 0.75**2 + 1e-4)
    np.testing.assert_allclose(ssim(first, second), [expected], rtol=1e-9)


@pytest.mark.parametrize("noise", [0.02, 0.3, 1.0])
def test_ssim_and_psnr_are_those_of_scikit_image(noise):
    reference = pytest.importorskip("skimage.metrics")
    first = np.clip(np.cumsum(pictures(), axis=-1) / 8, -1, 1)
    second = np.clip(first + noise * pictures(seed=1), -1, 1)
    for row, found in enumerate(ssim(first, second)):
        expected = reference.structural_similarity(
            (first[row].astype(np.float64) + 1) / 2,
            (second[row].astype(np.float64) + 1) / 2,
            channel_axis=0,
            data_range=1,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
        )
        assert found == pytest.approx(expected, abs=1e-10)
    expected = [reference.peak_signal_noise_ratio(a, b, data_range=2) for a, b in zip(first, second, strict=True)]
    np.testing.assert_allclose(psnr(first, second), expected, rtol=1e-6)


def test_each_picture_is_judged_alone(monkeypatch):
    first, second = pictures(5), pictures(5, seed=1)
    whole = ssim(first, second)
    monkeypatch.setattr(image, "_AT_ONCE", 1)
    np.testing.assert_array_equal(ssim(first, second), whole)
    np.testing.assert_array_equal(mse(first[::-1], second[::-1]), mse(first, second)[::-1])
    assert ssim(first[:0], second[:0]).shape == (0,)


def test_all_three_are_symmetric():
    first, second = pictures(), pictures(seed=1)
    for metric in (mse, psnr, ssim):
        np.testing.assert_allclose(metric(first, second), metric(second, first))


def test_pictures_that_do_not_fit_are_refused():
    with pytest.raises(DataError, match="expected two equal"):
        mse(pictures(), pictures(2))
    with pytest.raises(DataError, match="SSIM needs 11 x 11"):
        ssim(pictures(shape=(3, 10, 30)), pictures(shape=(3, 10, 30)))
