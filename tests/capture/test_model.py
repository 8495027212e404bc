import torch
from torch import nn

from provrunner.capture.model import (
    ShapeProbe,
    architecture_hash,
    describe_layers,
    describe_model,
    loss_settings,
)


def probe(model, *inputs):
    watching = ShapeProbe(model)
    with torch.no_grad():
        model(*inputs)
    watching.remove()
    return dict(describe_layers(model, watching.shapes))


def test_layers_have_order_shapes_and_weights():
    model = nn.Sequential(nn.Conv2d(1, 3, 2), nn.Flatten(), nn.Linear(12, 5))
    layers = probe(model, torch.zeros(7, 1, 3, 3))
    assert layers["0"] == {
        "position": 0,
        "type": "torch.nn.modules.conv.Conv2d",
        "input_shape": [None, 1, 3, 3],
        "output_shape": [None, 3, 2, 2],
        "parameters": 15,
        "trainable": 15,
    }
    assert layers["1"]["output_shape"] == [None, 12]
    assert layers["2"]["parameters"] == 65


def test_frozen_weights_are_not_trainable():
    model = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))
    model[0].requires_grad_(False)
    assert describe_model(model)["parameters"] == 13
    assert describe_model(model)["trainable"] == 4


def test_layers_add_up_to_the_model_though_modules_nest():
    model = nn.TransformerEncoderLayer(8, 2, dim_feedforward=16, batch_first=True)
    layers = dict(describe_layers(model, {}))
    total = sum(parameter.numel() for parameter in model.parameters())
    assert sum(data["parameters"] for data in layers.values()) == total


def test_losses_are_no_layers():
    model = nn.Sequential(nn.Linear(2, 2))
    model.criterion = nn.CrossEntropyLoss()
    assert list(dict(describe_layers(model, {}))) == ["0"]
    assert describe_model(model)["loss"] == "torch.nn.modules.loss.CrossEntropyLoss"


def test_the_settings_of_each_loss_are_read():
    model = nn.Sequential(nn.Linear(2, 2))
    model.criterion = nn.CrossEntropyLoss(torch.tensor([1.0, 3.0]), label_smoothing=0.1)
    assert dict(loss_settings(model)) == {
        "loss.type": "torch.nn.modules.loss.CrossEntropyLoss",
        "loss.reduction": "mean",
        "loss.ignore_index": -100,
        "loss.label_smoothing": 0.1,
        "loss.weight": model.criterion.weight,
    }
    model.other = nn.L1Loss()
    assert dict(loss_settings(model))["loss.1.reduction"] == "mean"
    plain = nn.Sequential()
    plain.loss_fn = nn.functional.mse_loss
    assert dict(loss_settings(plain)) == {"loss.type": "torch.nn.functional.mse_loss"}


def test_a_layer_that_no_batch_reached_has_unknown_shapes():
    model = nn.Sequential(nn.Linear(2, 2))
    model.unused = nn.Linear(9, 9)
    model.forward = model[0].forward
    assert dict(describe_layers(model, {}))["unused"]["input_shape"] is None


def test_hooks_are_gone_after_the_batch():
    model = nn.Sequential(nn.Linear(2, 2))
    probe(model, torch.zeros(1, 2))
    assert not model[0]._forward_hooks


def test_a_fused_transformer_in_evaluation_gets_no_hook():
    model = nn.TransformerEncoderLayer(8, 2, dim_feedforward=16, batch_first=True).eval()
    watching = ShapeProbe(model)
    assert not any(module._forward_hooks for module in model.modules())
    watching.remove()
    watching = ShapeProbe(model.train())
    assert model.linear1._forward_hooks
    watching.remove()


def test_the_architecture_hash_sees_structure_and_no_values():
    def build(kernel=3, rate=0.1):
        return nn.Sequential(nn.Conv2d(1, 2, kernel, padding=1), nn.Dropout(rate))

    assert architecture_hash(build()) == architecture_hash(build(rate=0.5))
    assert architecture_hash(build()) != architecture_hash(build(kernel=5))
    renamed = nn.Sequential(nn.ReLU())
    assert architecture_hash(renamed) != architecture_hash(nn.Sequential(nn.GELU()))


def test_lazy_layers_are_counted_once_they_are_made():
    model = nn.Sequential(nn.LazyLinear(3))
    assert describe_model(model)["parameters"] == 0
    layers = probe(model, torch.zeros(1, 4))
    assert layers["0"]["parameters"] == 15
