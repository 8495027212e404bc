"""Models of Keras 3, on the backend of torch."""

import os
import subprocess
import sys

import numpy as np
import pytest

import provrunner

os.environ.setdefault("KERAS_BACKEND", "torch")
keras = pytest.importorskip("keras")

from provrunner.capture.keras_model import describe_keras  # noqa: E402
from provrunner.keras import ProvenanceCallback  # noqa: E402

# Keras and numpy about tensors of torch.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy")


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PROVRUNNER_FOLDER", "")
    monkeypatch.delenv("PROVRUNNER_FOLDER")


@pytest.fixture
def callback():
    made = ProvenanceCallback(config={"lr": 0.01}, name="mine")
    yield made
    made.close()


def make_model(rate=0.01):
    layers = keras.layers
    model = keras.Sequential(
        [
            layers.Input((4,)),
            layers.Dense(8, activation="relu", name="hidden"),
            layers.Dense(1, name="out"),
        ]
    )
    model.compile(optimizer=keras.optimizers.Adam(rate), loss="mse", metrics=["mae"])
    return model


def data():
    x = np.arange(128, dtype="float32").reshape(32, 4) / 128
    return x, x.sum(1)


def fit(model, *callbacks, epochs=2, **settings):
    return model.fit(
        *data(),
        epochs=epochs,
        batch_size=8,
        validation_split=0.25,
        callbacks=list(callbacks),
        verbose=0,
        **settings,
    )


def rows(callback, query):
    callback.close()
    return provrunner.open_sweep(callback.folder).sql(query).fetchall()


def test_values_are_those_of_keras_own_history(callback):
    history = fit(make_model(), callback).history
    found = rows(callback, "select name, value from metrics where step in (2, 5) order by step")
    by_name = {name: [value for n, value in found if n == name] for name, _value in found}
    assert by_name == {name: pytest.approx(values) for name, values in history.items()}
    assert sorted(by_name) == ["loss", "mae", "val_loss", "val_mae"]


def test_a_fit_is_a_finished_run_with_steps_epochs_and_stages(callback):
    fit(make_model(), callback)
    assert rows(callback, "select status, epochs, steps, parameters from runs") == [
        ("finished", 2, 5, 49)
    ]
    placed = "select stage, epoch, count(*), max(step) from metrics group by all order by all"
    assert rows(callback, placed) == [
        ("train", 0, 6, 2),
        ("train", 1, 6, 5),
        ("validate", 0, 2, 2),
        ("validate", 1, 2, 5),
    ]


def test_layers_and_settings_are_read_from_the_model(callback):
    fit(make_model(), callback, epochs=1)
    layers = (
        "select name, type, input_shape, output_shape, parameters from layers order by position"
    )
    dense = "keras.src.layers.core.dense.Dense"
    assert rows(callback, layers) == [
        ("hidden", dense, "[null,4]", "[null,8]", 40),
        ("out", dense, "[null,8]", "[null,1]", 9),
    ]
    named = "('lr', 'optimizer.lr', 'optimizer.beta_1', 'keras.backend', 'fit.epochs')"
    found = dict(rows(callback, f"select name, value from params where name in {named}"))
    assert found == {
        "lr": "0.01",
        "optimizer.lr": "0.01",
        "optimizer.beta_1": "0.9",
        "keras.backend": f'"{keras.config.backend()}"',
        "fit.epochs": "1",
    }


def test_a_changed_rate_and_an_early_stop_are_adaptations(callback):
    half = keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate if epoch < 2 else 0.005)
    stop = keras.callbacks.EarlyStopping(min_delta=100.0, patience=1, start_from_epoch=2)
    fit(make_model(), callback, half, stop, epochs=9)
    assert rows(callback, "select name, old, new, cause, epoch from adaptations order by step") == [
        ("optimizer.lr", "0.01", "0.005", "callback", 2),
        ("fit.stop_training", "false", "true", "callback", 3),
    ]


def test_a_schedule_is_a_setting_and_its_rate_an_adaptation(callback):
    schedule = keras.optimizers.schedules.ExponentialDecay(0.1, decay_steps=3, decay_rate=0.5)
    fit(make_model(schedule), callback)
    kept = "select value from params where name = 'scheduler.decay_rate'"
    assert rows(callback, kept) == [("0.5",)]
    changes = rows(callback, "select cause, agent from adaptations")
    assert set(changes) == {("scheduler", "ExponentialDecay")}


def test_an_evaluation_is_a_test_at_the_last_step(callback):
    model = make_model()
    fit(model, callback, epochs=1)
    loss, _mae = model.evaluate(*data(), verbose=0, callbacks=[callback])
    found = rows(callback, "select name, step, value from metrics where stage = 'test' limit 1")
    assert found == [("loss", 2, pytest.approx(loss))]


def test_equal_models_have_one_hash_whatever_keras_calls_their_layers():
    def hashed(width):
        model = keras.Sequential([keras.layers.Input((4,)), keras.layers.Dense(width)])
        events = {kind: told for kind, _name, told in describe_keras(model)}
        return events["model"]["architecture_hash"]

    assert hashed(3) == hashed(3)
    assert hashed(3) != hashed(4)


def test_layers_of_a_model_inside_a_model_bear_its_name():
    inner = keras.Sequential([keras.layers.Dense(2, name="a")], name="inner")
    outer = keras.Sequential([keras.layers.Input((3,)), inner, keras.layers.Dense(1, name="b")])
    names = [name for kind, name, _told in describe_keras(outer) if kind == "layer"]
    assert names == ["inner.a", "b"]


def test_without_keras_the_error_names_the_extra():
    code = (
        "import importlib.util\n"
        "importlib.util.find_spec = lambda name: None\n"
        "import provrunner\n"
        "try:\n"
        "    provrunner.keras.ProvenanceCallback()\n"
        "except provrunner.ProvrunnerError as error:\n"
        "    print(error)"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout.endswith("pip install 'provrunner[keras]'\n")
