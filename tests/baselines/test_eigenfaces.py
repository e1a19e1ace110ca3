"""Eigenfaces are a plain PCA that tells what it was fitted on."""

import numpy as np
import pytest
from PIL import Image

from ghbench import registry
from ghbench.errors import UsageError
from ghbench.imaging import RESIZES
from ghbench.testing import pictures


def test_components_equal_those_of_scikit_learn():
    from ghbench_baselines.eigenfaces import principal_components
    from sklearn.decomposition import PCA

    rows = np.random.default_rng(0).normal(size=(30, 12)) @ np.diag(np.arange(1, 13))
    ours, theirs = principal_components(rows, 5), PCA(5, svd_solver="full").fit(rows)
    np.testing.assert_allclose(np.abs(ours.axes @ theirs.components_.T), np.eye(5), atol=1e-9)
    np.testing.assert_allclose(ours.mean, theirs.mean_)
    assert all(axis[np.abs(axis).argmax()] > 0 for axis in ours.axes)


def test_the_default_fit_declares_lfw_and_its_own_training_mean_is_zero():
    skimage = pytest.importorskip("skimage.data")
    extractor = registry.build("extractor", "eigenfaces")
    spec = extractor.spec()
    assert "lfw" in spec.training.datasets
    assert spec.training.supervision == "unsupervised"
    faces = np.rint(skimage.lfw_subset()[:100] * 255).astype(np.uint8)
    features = extractor.extract(np.repeat(faces[:, None], 3, axis=1))["components"]
    assert spec.centred
    np.testing.assert_allclose(features.mean(axis=0), 0.0, atol=2e-3)
    variance = features.var(axis=0)
    assert (np.diff(variance) < 1e-3).all(), "components come by falling variance"


def test_a_fit_on_other_data_lists_its_images_and_is_part_of_the_digest(tmp_path):
    for number, picture in enumerate(pictures((40, 40), count=9)):
        folder = tmp_path / ("train" if number < 6 else "test")
        folder.mkdir(exist_ok=True)
        Image.fromarray(picture.transpose(1, 2, 0)).save(folder / f"{number}.png")
    build = f"eigenfaces:fit=imagefolder,fit.path={tmp_path},components=4"
    extractor = registry.build("extractor", build)
    spec = extractor.spec()
    assert len(spec.training.image_digests) == 6, "only the training split was fitted on"
    assert spec.preprocessing.size == (64, 64)
    assert extractor.extract(pictures((64, 64), count=3))["components"].shape == (3, 4)
    Image.new("RGB", (40, 40)).save(tmp_path / "train" / "0.png")
    assert registry.build("extractor", build).spec().weights_digest != spec.weights_digest


@pytest.mark.parametrize("options", ["components=100", "components=0", "size=32"])
def test_more_components_than_faces_allow_are_refused(options):
    with pytest.raises(UsageError, match=r"components=|size="):
        registry.build("extractor", f"eigenfaces:{options}")


@pytest.mark.parametrize("colour", ["true", "false"])
def test_with_as_many_components_as_pictures_allow_a_fitted_picture_comes_back(tmp_path, colour):
    faces = pictures((12, 12), count=5)
    for number, picture in enumerate(faces):
        Image.fromarray(picture.transpose(1, 2, 0)).save(tmp_path / f"{number}.png")
    options = f"fit=imagefolder,fit.path={tmp_path},components=4,size=12,colour={colour}"
    extractor = registry.build("extractor", f"eigenfaces:{options}")
    decoded = extractor.decode(extractor.extract(faces))
    expected = faces if colour == "true" else np.einsum("nchw,c->nhw", faces, [0.299, 0.587, 0.114])[:, None]
    assert np.abs(decoded - np.broadcast_to(expected, faces.shape).astype(float)).max() <= 1


def test_the_default_faces_have_no_colour():
    with pytest.raises(UsageError, match="fit=DATASET"):
        registry.build("extractor", "eigenfaces:colour=true")


def test_principal_codes_are_uncorrelated_and_know_what_they_saw():
    extractor = registry.build(
        "extractor",
        "ghbench_baselines.eigenfaces:PrincipalCodes,fit=sprites,fit.train=60,fit.test=5,components=5,size=8",
    )
    spec = extractor.spec()
    assert (spec.name, spec.dim("components"), spec.training.datasets) == ("pca", 5, ("sprites",))
    assert len(spec.training.image_digests) == 60
    resize = RESIZES["crop-bilinear"].apply
    dataset = registry.build("dataset", "sprites:train=60,test=5")
    seen = np.stack([resize(dataset.image(row), (8, 8)) for row in dataset.splits["train"]]).transpose(0, 3, 1, 2)
    codes = extractor.extract(seen)["components"]
    covariance = np.cov(codes.T)
    np.testing.assert_allclose(covariance, np.diag(np.diag(covariance)), atol=1e-4)
    assert (np.diff(np.diag(covariance)) < 0).all()
