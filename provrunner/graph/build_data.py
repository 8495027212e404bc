"""The data of a run: data sets, their splits, and what each transform made of them."""

from __future__ import annotations

from provrunner.graph.build_steps import add_carried_out
from provrunner.graph.context import Context
from provrunner.graph.records import Row, RunRecord
from provrunner.graph.terms import content_id, parse_json
from provrunner.ids import qualified_id

__all__ = ["add_data"]

_ROLES = {
    "train": "pr:trainingData",
    "fit": "pr:trainingData",
    "val": "pr:validationData",
    "valid": "pr:validationData",
    "validate": "pr:validationData",
    "validation": "pr:validationData",
    "test": "pr:testData",
}


def add_data(context: Context, record: RunRecord) -> None:
    """State what data a run used; runs that used the same content share its entities."""
    wholes = {
        row["dataset"] or "": _add_dataset(context, record, row)
        for row in record.datasets
        if row["split"] is None
    }
    splits = {
        row["split"]: _add_split(context, record, row, wholes)
        for row in record.datasets
        if row["split"] is not None
    }
    context.splits[record.number] = _add_transforms(context, record, wholes, splits)


def _add_dataset(context: Context, record: RunRecord, row: Row) -> str:
    name = row["dataset"] or "data"
    dataset = context.statements.add(
        "entity",
        content_id("data", row["digest"], name, row["type"]),
        ("pr:Dataset", "mls:Dataset", "schema:Dataset"),
        name,
        attributes={
            "name": name,
            "class": row["type"],
            "sha256": row["digest"],
            "size": row["size"],
            "features": row["features"],
            "classes": row["classes"],
        },
    )
    context.use(record, dataset, dataset, role="pr:dataset")
    return dataset


def _add_split(context: Context, record: RunRecord, row: Row, wholes: dict[str, str]) -> str:
    name, owner = row["split"], row["dataset"] or ""
    dataset = wholes.get(owner) or _add_dataset(
        context, record, dict.fromkeys(row) | {"dataset": owner or None, "type": row["type"]}
    )
    wholes.setdefault(owner, dataset)
    split = context.statements.add(
        "entity",
        qualified_id("split", dataset, name, row["digest"], row["index_digest"], row["seed"]),
        ("pr:Split", "mls:Dataset"),
        f"{name} split of {owner or 'data'}",
        attributes={
            "name": name,
            "sha256": row["digest"],
            "indexSha256": row["index_digest"],
            "size": row["size"],
            "ratio": row["ratio"],
            "seed": row["seed"],
            "classes": row["classes"],
            "overlap": row["overlap"],
        },
    )
    _add_preparation(context, record, split, [dataset], f"preparation of the {name} split")
    role = _ROLES.get(str(name).lower(), "pr:data")
    context.use(record, split, split, role=role)
    return split


def _add_transforms(
    context: Context, record: RunRecord, wholes: dict[str, str], splits: dict[str, str]
) -> dict[str, str]:
    """Chain the transforms in their order and return what each split is after the last one.

    An entity stands for the data as a transform left them: the first one derives from the split it
    was fitted on, or from the data set, and every further one from the one before.
    """
    last: dict[str, str] = {}
    for row in sorted(record.transforms, key=lambda row: (row["position"] or 0, row["name"] or "")):
        key = row["split"] or ""
        sources = [last[key]] if key in last else _sources(key, wholes, splits)
        last[key] = _add_transform(context, record, row, sources)
    return {name: last.get(name) or last.get("") or split for name, split in splits.items()}


def _sources(split: str, wholes: dict[str, str], splits: dict[str, str]) -> list[str]:
    return [splits[split]] if split in splits else sorted(set(wholes.values()))


def _add_transform(context: Context, record: RunRecord, row: Row, sources: list[str]) -> str:
    name = row["name"] or "transform"
    transform = context.statements.add(
        "entity",
        qualified_id("transform", sources, row["position"], name, row["params"]),
        ("pr:Transform", "mls:Dataset"),
        name,
        attributes={
            "name": name,
            "position": row["position"],
            "params": parse_json(row["params"]),
            "fittedOn": row["split"],
            "rowsIn": row["n_in"],
            "rowsOut": row["n_out"],
            "changed": row["changed"],
        },
    )
    _add_preparation(context, record, transform, sources, f"preparation by {name}")
    context.use(record, transform, transform, role="pr:transform")
    return transform


def _add_preparation(
    context: Context, record: RunRecord, made: str, sources: list[str], label: str
) -> None:
    """State what made some data of others: one untimed activity for all runs that share them.

    An entity has one generation (C24), and every run that prepares the same data makes them anew.
    """
    statements = context.statements
    preparation = statements.add(
        "activity", qualified_id("preparation", made), "pr:Preparation", label
    )
    add_carried_out(context, "split", preparation, agent=context.agents[record.number][0])
    generation = statements.relate("was_generated_by", made, preparation)
    for source in sources:
        usage = statements.relate("used", preparation, source, source)
        because = (preparation, generation, usage)
        statements.relate("was_derived_from", made, source, source, because=because)
