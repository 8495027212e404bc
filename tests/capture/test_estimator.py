import numpy as np
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from provrunner.capture.arrays import as_datasets
from provrunner.capture.data import DataDescriber
from provrunner.capture.estimator import describe_estimator, is_estimator


def pipeline(c=1.0):
    columns = ColumnTransformer([("a", StandardScaler(), [0]), ("b", MinMaxScaler(), [1])])
    return Pipeline(
        [("columns", columns), ("off", "passthrough"), ("fit", LogisticRegression(C=c))]
    )


def told(estimator, kind):
    return {name: data for found, name, data in describe_estimator(estimator) if found == kind}


def test_steps_are_layers_in_the_order_of_the_pipeline():
    layers = told(pipeline(), "layer")
    assert [(name, data["position"]) for name, data in layers.items()] == [
        ("columns.a", 0),
        ("columns.b", 1),
        ("fit", 2),
    ]
    assert layers["fit"]["type"] == "sklearn.linear_model._logistic.LogisticRegression"
    assert layers["fit"]["parameters"] is None


def test_parameters_are_named_by_their_step():
    params = told(pipeline(c=0.5), "param")
    assert params["model.fit.C"]["value"] == 0.5
    assert params["model.fit.C"]["phase"] == "object"
    assert params["model.columns.a.with_mean"]["value"] is True
    assert params["model.fit"]["value"].endswith("LogisticRegression")
    assert "model.steps" not in params


def test_a_lone_estimator_is_its_own_step_and_tells_its_loss():
    estimator = SGDClassifier(loss="log_loss")
    assert list(told(estimator, "layer")) == ["(model)"]
    assert told(estimator, "model")["SGDClassifier"]["loss"] == "log_loss"
    assert told(estimator, "agent")["sklearn"]["type"] == "software"


def test_a_search_is_described_by_what_it_searches():
    search = GridSearchCV(pipeline(), {"fit__C": [0.1, 1.0]})
    assert list(told(search, "layer"))[-1] == "estimator.fit"
    assert told(search, "param")["model.param_grid"]["value"] == {"fit__C": [0.1, 1.0]}


def test_the_hash_is_of_the_steps_and_not_of_their_parameters():
    def hashed(estimator):
        return told(estimator, "model")["Pipeline"]["architecture_hash"]

    assert hashed(pipeline(0.1)) == hashed(pipeline(1.0))
    assert hashed(pipeline()) != hashed(Pipeline([("fit", LogisticRegression())]))


def test_a_class_is_no_estimator():
    assert is_estimator(LogisticRegression())
    assert not is_estimator(LogisticRegression)


def test_features_and_targets_are_a_data_set_with_classes_and_a_digest():
    features, targets = np.zeros((4, 2)), np.array([0, 1, 1, 1])
    described = DataDescriber(None).describe(as_datasets({"train": (features, targets)}))
    events = {kind: data for kind, _name, data in described}
    assert events["dataset"]["size"] == 4
    assert events["dataset"]["features"] == [2]
    assert events["split"]["classes"] == {"0": 1, "1": 3}
    assert len(events["split"]["digest"]) == 64


def test_a_table_is_digested_by_its_numbers():
    import pandas as pd

    table = pd.DataFrame({"a": [1.0, 2.0], "b": [3.0, 4.0]})
    numbers = as_datasets(table)["train"]
    assert numbers.data.tolist() == [[1.0, 3.0], [2.0, 4.0]]
    assert len(numbers) == 2
