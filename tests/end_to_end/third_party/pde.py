"""PINA: a physics-informed network, with a Trainer of its own class."""

import torch
from pina import Condition, Trainer
from pina.domain import CartesianDomain
from pina.equation import Equation
from pina.model import FeedForward
from pina.operator import grad
from pina.problem import SpatialProblem
from pina.solver import PINN


def growth(points, values):
    return grad(values, points, components=["u"], d=["x"]) - values


class Growth(SpatialProblem):
    output_variables = ["u"]
    spatial_domain = CartesianDomain({"x": [0, 1]})
    domains = {"inside": spatial_domain}
    conditions = {"inside": Condition(domain="inside", equation=Equation(growth))}


problem = Growth()
problem.discretise_domain(16, "grid", domains=["inside"])
solver = PINN(problem, FeedForward(1, 1, layers=[8], func=torch.nn.Tanh))
Trainer(solver, max_epochs=3, accelerator="cpu", train_size=1.0).train()
