import functools
import hashlib

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.data import DataLoader, Dataset, IterableDataset, Subset, TensorDataset

from provrunner.capture.data import DataDescriber
from provrunner.capture.digests import content_of, index_digest


def described(loaders, datamodule=None, **settings):
    events = {}
    for kind, subject, data in DataDescriber(datamodule, **settings).describe(loaders):
        events.setdefault(kind, {})[subject] = data
    return events


@pytest.fixture
def dataset():
    return TensorDataset(torch.arange(20.0).reshape(10, 2), torch.arange(10) % 3)


def test_a_tensor_dataset_is_known_by_its_content(dataset):
    data = described({"train": DataLoader(dataset, 4)})["dataset"]["TensorDataset"]
    assert (data["size"], data["features"], data["classes"]) == (10, [2], 3)
    total = hashlib.sha256()
    for tensor in dataset.tensors:
        array = tensor.numpy()
        total.update(f"{array.dtype.str}{array.shape}".encode())
        total.update(array.tobytes())
    assert data["digest"] == total.hexdigest()


def test_splits_of_one_dataset_have_indices_classes_and_overlap(dataset):
    events = described(
        {
            "train": DataLoader(Subset(dataset, [0, 1, 2, 3, 4, 5])),
            "val": DataLoader(Subset(Subset(dataset, [9, 5, 7]), [0, 1])),
        }
    )
    assert list(events["dataset"]) == ["TensorDataset"]
    train, val = events["split"]["train"], events["split"]["val"]
    assert train["classes"] == {"0": 2, "1": 2, "2": 2}
    assert train["overlap"] is None
    assert val["overlap"] == {"train": 1}
    assert val["index_digest"] == index_digest(np.array([5, 9]))
    assert val["size"] == 2


def test_data_sets_of_their_own_have_names_of_their_own(dataset):
    other = TensorDataset(torch.zeros(3, 2))
    events = described({"train": DataLoader(dataset), "val": DataLoader(other)})
    assert list(events["dataset"]) == ["TensorDataset", "TensorDataset/val"]
    assert events["split"]["val"]["dataset"] == "TensorDataset/val"
    assert events["split"]["val"]["overlap"] == {"train": 0}


def test_samples_that_two_data_sets_share_are_found(dataset):
    samples, labels = dataset.tensors
    again = TensorDataset(samples[[7, 1, 7, 2]], labels[[7, 1, 7, 0]])
    events = described({"train": DataLoader(Subset(dataset, range(8))), "val": DataLoader(again)})
    # the fourth sample has another label
    assert events["split"]["val"]["overlap"] == {"train": 3}


def test_data_sets_that_nobody_can_compare_have_no_overlap(dataset):
    class Unknown(Dataset):
        def __len__(self):
            return 5

    events = described({"train": DataLoader(dataset), "val": DataLoader(Unknown())})
    assert events["split"]["val"]["overlap"] is None
    loaders = {"train": DataLoader(dataset), "val": DataLoader(TensorDataset(*dataset.tensors))}
    large = described(loaders, limit_bytes=9)
    assert large["split"]["val"]["overlap"] is None


def test_a_user_dataset_is_never_asked_for_a_sample():
    class Unknown(Dataset):
        def __len__(self):
            return 5

        def __getitem__(self, index):
            raise AssertionError

    events = described({"train": DataLoader(Unknown(), 2)})
    assert events["dataset"]["Unknown"]["digest"] is None
    assert events["dataset"]["Unknown"]["size"] == 5
    assert events["split"]["train"]["index_digest"] is None
    assert events["loader"]["train"]["batches"] == 3


def test_a_stream_has_no_size_and_is_not_drained():
    class Stream(IterableDataset):
        def __iter__(self):
            raise AssertionError

    events = described({"train": DataLoader(Stream(), 2)})
    assert events["dataset"]["Stream"]["size"] is None
    assert events["loader"]["train"]["batches"] is None


def test_data_and_targets_attributes_are_known():
    class Images(Dataset):
        data = np.zeros((4, 3, 3), np.uint8)
        targets = (0, 1, 1, 1)

        def __len__(self):
            return 4

    events = described({"train": DataLoader(Images())})
    assert events["dataset"]["Images"]["features"] == [3, 3]
    assert events["split"]["train"]["classes"] == {"0": 1, "1": 3}
    assert events["dataset"]["Images"]["digest"] is not None


def test_large_content_gets_no_digest_but_its_sizes(dataset):
    samples = TensorDataset(torch.zeros(10, 1 << 18))
    data = described({"train": DataLoader(samples)}, limit_bytes=2 << 20)["dataset"]
    assert data["TensorDataset"] == {
        "digest": None,
        "size": 10,
        "features": [1 << 18],
        "classes": None,
        "type": "torch.utils.data.dataset.TensorDataset",
        "reason": "its content of 10 MiB is more than 2 MiB; level full has no limit",
    }
    assert described({"train": DataLoader(dataset)})["split"]["train"]["reason"] is None


def test_the_transforms_of_a_data_set_are_read_in_order_and_none_is_applied(dataset):
    class Compose:
        def __init__(self, transforms):
            self.transforms = transforms

    class Crop:
        def __init__(self, size, fill=0):
            self.size, self.fill, self._cache = size, fill, []

        def __call__(self, sample):
            raise AssertionError

    class Images(Dataset):
        def __init__(self, transform, target_transform=None):
            self.transform, self.target_transform = transform, target_transform

        def __len__(self):
            return 3

    flip = functools.partial(torch.flip, dims=(0,))
    whole = Images(Compose([Crop((8, 8)), torch.nn.Sequential(torch.nn.Dropout(0.5)), flip]))
    train, val = Subset(whole, [0, 1]), Images(None, torch.nn.functional.one_hot)
    found = [
        (name, data["position"], data["split"], data["params"])
        for kind, name, data in DataDescriber(None).describe(
            {"train": DataLoader(train), "val": DataLoader(val), "test": DataLoader(dataset)}
        )
        if kind == "transform"
    ]
    assert found == [
        ("Crop", 0, "train", {"size": [8, 8], "fill": 0}),
        ("Dropout", 1, "train", {"p": 0.5, "inplace": False}),
        ("flip", 2, "train", {"dims": [0]}),
        ("one_hot", 0, "val", {}),
    ]


def test_loader_settings_are_read(dataset):
    loader = DataLoader(dataset, 4, shuffle=True, drop_last=True, num_workers=0)
    assert described({"train": loader})["loader"]["train"] == {
        "batch_size": 4,
        "shuffle": True,
        "workers": 0,
        "drop_last": True,
        "batches": 2,
    }


def test_several_loaders_are_told_apart(dataset):
    events = described({"val": [DataLoader(dataset), DataLoader(dataset)]})
    assert list(events["loader"]) == ["val/0", "val/1"]


def test_a_data_module_may_tell_its_provenance():
    class Told:
        def provenance(self):
            return {
                "dataset": {
                    "name": "digits", "size": 6, "features": [64], "classes": 2, "digest": "ab",
                },
                "splits": {
                    "train": {"indices": np.arange(3), "seed": 3, "labels": np.array([0, 0, 1])},
                    "test": {"indices": np.array([2, 4]), "seed": 3, "labels": None},
                },
                "transforms": [
                    {
                        "name": "scale", "params": {"mean": np.float64(0.5)}, "split": "train",
                        "n_in": 6, "n_out": 6, "changed": 6,
                    },
                ],
            }  # fmt: skip

    events = described({"train": None}, Told())
    assert events["dataset"]["digits"]["digest"] == "ab"
    assert events["dataset"]["digits"]["type"].endswith("Told")
    assert events["split"]["train"]["classes"] == {"0": 2, "1": 1}
    assert events["split"]["train"]["seed"] == 3
    assert events["split"]["test"]["overlap"] == {"train": 1}
    assert events["transform"]["scale"]["params"] == {"mean": 0.5}
    assert events["transform"]["scale"]["position"] == 0


def test_a_split_is_described_once(dataset):
    describer = DataDescriber(None)
    loader = DataLoader(dataset)
    first = [kind for kind, _, _ in describer.describe({"train": loader})]
    again = [kind for kind, _, _ in describer.describe({"train": loader})]
    assert (first, again) == (["dataset", "split", "loader"], ["loader"])


def test_a_loader_made_anew_reads_the_same_split_and_other_data_are_another_one(dataset):
    describer = DataDescriber(None)

    def told(*tensors):
        loader = DataLoader(TensorDataset(*tensors))
        return [
            (kind, name, data["dataset"] if kind == "split" else data["size"])
            for kind, name, data in describer.describe({"train": loader})
            if kind != "loader"
        ]

    samples, labels = dataset.tensors
    whole = [("dataset", "TensorDataset", 10), ("split", "train", "TensorDataset")]
    assert told(samples, labels) == whole
    assert told(samples.clone(), labels.clone()) == []
    other = "TensorDataset/train"
    assert told(samples + 1, labels) == [("dataset", other, 10), ("split", "train", other)]
    assert told(samples, labels) == [("split", "train", "TensorDataset")]
    third = "TensorDataset/train#2"
    assert told(samples + 2, labels) == [("dataset", third, 10), ("split", "train", third)]


def test_the_data_module_of_the_trainer_at_hand_is_asked():
    class Told:
        def __init__(self, name):
            self.name = name

        def provenance(self):
            return {"dataset": {"name": self.name, "digest": "ab"}}

    one, other = Told("one"), Told("other")
    describer = DataDescriber(one)
    names = []
    for module in (one, other, other):
        describer.follow(module)
        names += [name for _, name, _ in describer.describe({})]
    assert names == ["one", "other"]


def test_lists_of_samples_are_stacked():
    content = content_of([(torch.zeros(2), 1), (torch.ones(2), 0)])
    assert (content.size, content.features, list(content.labels)) == (2, [2], [1, 0])
    assert content_of([{"a": 1}]) is None
    assert content_of([]) is None


@given(st.lists(st.integers(0, 1000), max_size=30))
def test_an_index_digest_forgets_the_order(indices):
    assert index_digest(np.array(indices, int)) == index_digest(np.array(sorted(indices), int))


@given(st.permutations(range(6)))
def test_a_split_digest_keeps_the_order(order):
    content = content_of(torch.arange(6))
    same = content.digest(np.array(order)) == content.digest()
    assert same == (list(order) == list(range(6)))
