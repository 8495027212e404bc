import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from provrunner.errors import ConfigError
from provrunner.zoo import BreastCancer, Diabetes, Digits
from provrunner.zoo.data import array_digest, split_rows


@pytest.mark.parametrize(
    ("make", "shape", "out", "problem", "sizes"),
    [
        (Digits, (1, 8, 8), 10, "classification", (1079, 359, 359)),
        (BreastCancer, (30,), 2, "classification", (343, 113, 113)),
        (Diabetes, (10,), 1, "regression", (266, 88, 88)),
    ],
)
def test_bundled_data_say_what_a_model_needs(make, shape, out, problem, sizes):
    data = make()
    data.setup("fit")
    assert (data.in_shape, data.out_features, data.problem) == (shape, out, problem)
    loaders = (data.train_dataloader(), data.val_dataloader(), data.test_dataloader())
    assert tuple(len(loader.dataset) for loader in loaders) == sizes
    inputs, targets = next(iter(loaders[0]))
    assert (inputs.shape, targets.shape) == ((64, *shape), (64,))


def test_the_training_split_is_standardised_by_itself():
    data = BreastCancer()
    data.setup()
    inputs = data.train_dataloader().dataset.inputs.numpy()
    assert np.allclose(inputs.mean(0), 0, atol=1e-4)
    assert np.allclose(inputs.std(0), 1, atol=1e-4)
    assert not np.allclose(data.val_dataloader().dataset.inputs.numpy().mean(0), 0, atol=1e-4)


def test_the_target_of_a_regression_is_standardised_too():
    data = Diabetes()
    data.setup()
    assert abs(float(data.train_dataloader().dataset.targets.mean())) < 1e-5
    assert [step["name"] for step in data.provenance()["transforms"]] == [
        "standardise",
        "standardise_target",
    ]


def test_unscaled_data_are_left_as_they_are():
    data = Digits(scale=False)
    data.setup()
    assert float(data.train_dataloader().dataset.inputs.max()) == 16.0
    assert data.provenance()["transforms"] == []


def test_provenance_tells_data_set_splits_and_transforms():
    data = Digits(split_seed=3)
    found = data.provenance()
    dataset = found["dataset"]
    assert (dataset["name"], dataset["size"], dataset["features"], dataset["classes"]) == (
        "digits",
        1797,
        [1, 8, 8],
        10,
    )
    assert len(dataset["digest"]) == 64
    splits = found["splits"]
    assert list(splits) == ["train", "val", "test"]
    assert {split["seed"] for split in splits.values()} == {3}
    together = np.concatenate([split["indices"] for split in splits.values()])
    assert sorted(together) == list(range(1797))
    assert len(splits["val"]["labels"]) == len(splits["val"]["indices"])
    (step,) = found["transforms"]
    assert (step["name"], step["split"], step["n_in"], step["n_out"]) == (
        "standardise",
        "train",
        1797,
        1797,
    )
    assert step["changed"] == 1797 * 64


def test_the_digest_of_the_data_does_not_depend_on_the_split():
    one, other = Digits(split_seed=0).provenance(), Digits(split_seed=1).provenance()
    assert one["dataset"]["digest"] == other["dataset"]["digest"]
    assert not np.array_equal(one["splits"]["val"]["indices"], other["splits"]["val"]["indices"])


@given(st.integers(3, 500), st.integers(0, 9))
def test_a_split_holds_each_row_once(count, seed):
    rows = split_rows(count, 0.2, 0.3, seed=seed)
    assert sorted(np.concatenate(list(rows.values()))) == list(range(count))
    assert (len(rows["val"]), len(rows["test"])) == (int(count * 0.2), int(count * 0.3))


def test_a_digest_tells_shape_and_type_from_content():
    zeros = np.zeros(4, np.float32)
    others = [zeros.reshape(2, 2), zeros.astype(np.float64), zeros + 1]
    assert len({array_digest(array) for array in [zeros, *others]}) == 4


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"batch_size": 0}, "data.batch_size: 0"),
        ({"val_fraction": 0}, "data.val_fraction: 0; expected a number between 0 and 1"),
        ({"test_fraction": 1.5}, "data.test_fraction: 1.5"),
        ({"val_fraction": 0.5, "test_fraction": 0.5}, "leave nothing to train on"),
        ({"val_fraction": 0.0001}, "nothing is left for val"),
    ],
)
def test_settings_that_leave_nothing_are_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        Digits.check(**settings)
