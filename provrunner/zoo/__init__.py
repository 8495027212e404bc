"""The models, data modules and training task that conf/ names."""

from provrunner.zoo.bundled import BreastCancer, Diabetes, Digits
from provrunner.zoo.convnet import ConvNet
from provrunner.zoo.data import ArrayData
from provrunner.zoo.mlp import MLP
from provrunner.zoo.table import Table
from provrunner.zoo.task import SupervisedTask
from provrunner.zoo.transformer import Transformer

__all__ = [
    "MLP",
    "ArrayData",
    "BreastCancer",
    "ConvNet",
    "Diabetes",
    "Digits",
    "SupervisedTask",
    "Table",
    "Transformer",
]
