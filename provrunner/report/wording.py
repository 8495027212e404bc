"""The words that terminal, Markdown and page share."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from provrunner.report.escape import visible
from provrunner.report.numbers import count, number, share

__all__ = [
    "SWEPT_BUT_NEVER_READ",
    "best_sentence",
    "component_name",
    "design_sentence",
    "direction_text",
    "flag_text",
    "further_sentences",
    "left_out_sentences",
    "noise_sentence",
    "run_label",
    "short_names",
    "status_lines",
    "value_text",
    "values_text",
    "with_ordered_values",
]

_NAMED_RUNS = 3
_NAMED_POINTS = 3

SWEPT_BUT_NEVER_READ = "swept_but_never_read"
"""The flag of a hyperparameter that no run read: all that is said of it is about chance."""

_FLAGS = {
    "adaptive": "points were chosen, or runs stopped, in view of earlier results",
    "aliased": "hyperparameters that changed together cannot be told apart",
    "cannot_conclude": "too few runs to conclude anything",
    "constant_metric": "the objective was the same in every run",
    "heteroscedastic": "seed noise differs between levels",
    "interactions_not_estimable": "interactions cannot be estimated from this design",
    "low_trust": "the model explains little of what was seen",
    "noise_not_estimable": "seed noise is not known: no trial was repeated with another seed",
    "one_trial_decides": "all that is found rests on one trial",
    "outlier_dominated": "a few extreme runs dominate",
    "robust_tests": "seed noise may differ between levels",
    "unbalanced": "some trials have fewer runs than others",
}


def value_text(value: object) -> str:
    """Write a hyperparameter's value as it stands in YAML.

    Example:
        >>> [value_text(v) for v in (0.001, True, None, "relu", [1, 2])]
        ['0.001', 'true', 'null', 'relu', '[1, 2]']
    """
    if isinstance(value, str):
        return visible(value)
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return visible(repr(value))
    return visible(json.dumps(value, ensure_ascii=False, default=str))


def short_names(names: Iterable[str]) -> dict[str, str]:
    """Give each configuration path the shortest ending that no other one shares.

    Example:
        >>> short_names(["optimizer.lr", "model.width", "head.width"])
        {'optimizer.lr': 'lr', 'model.width': 'model.width', 'head.width': 'head.width'}
    """
    paths = {name: name.split(".") for name in names}
    return {name: _shortest_ending(name, paths) for name in paths}


def values_text(values: Mapping[str, Any], names: Mapping[str, str] | None = None) -> str:
    """Write a trial's values in one line, by short names.

    Example:
        >>> values_text({"optimizer.lr": 0.01, "model.width": 64})
        'lr 0.01, width 64'
    """
    short = names or short_names(values)
    return ", ".join(
        f"{visible(short.get(name, name))} {value_text(value)}" for name, value in values.items()
    )


def with_ordered_values(summary: Mapping[str, Any]) -> dict[str, Any]:
    """Copy a summary with each run's values in the order of its hyperparameters.

    A summary's own JSON has sorted keys.

    Example:
        >>> ordered = with_ordered_values({
        ...     "parameters": [{"name": "lr"}, {"name": "b"}], "trials": [],
        ...     "failures": [{"values": {"b": 1, "lr": 2}}], "best": None})
        >>> ordered["failures"]
        [{'values': {'lr': 2, 'b': 1}}]
    """
    rank = {item["name"]: position for position, item in enumerate(summary["parameters"])}

    def ordered(row: Mapping[str, Any]) -> dict[str, Any]:
        names = sorted(row["values"], key=lambda name: (rank.get(name, len(rank)), name))
        return {**row, "values": {name: row["values"][name] for name in names}}

    best = summary["best"] and ordered(summary["best"])
    if best and best.get("runner_up"):
        best["runner_up"] = ordered(best["runner_up"])
    lists = {key: [ordered(row) for row in summary[key]] for key in ("trials", "failures")}
    fronts = {
        key: {**found, "front": [ordered(row) for row in found["front"]]}
        for key in ("cost", "objectives")
        if (found := summary.get(key))
    }
    return {**summary, **lists, **fronts, "best": best, **_ordered_points(summary, rank)}


def _ordered_points(summary: Mapping[str, Any], rank: Mapping[str, int]) -> dict[str, Any]:
    found = summary.get("next_points")
    if not found:
        return {}
    points = [
        {name: point[name] for name in sorted(point, key=lambda name: rank.get(name, len(rank)))}
        for point in found["points"]
    ]
    return {"next_points": {**found, "points": points}}


def component_name(
    component: Mapping[str, Any], names: Mapping[str, str], *, short: bool = False
) -> str:
    """Name a component of the variance for a reader; `short` uses `names` for main effects too.

    Example:
        >>> component_name({"kind": "noise", "parameters": []}, {})
        'seed noise'
        >>> pair = {"kind": "interaction", "parameters": ["a.lr", "b.w"]}
        >>> component_name(pair, {"a.lr": "lr", "b.w": "w"})
        'lr × w'
    """
    kind, parameters = component["kind"], component["parameters"]
    fixed = {"noise": "seed noise", "seed": "seed (shared)", "unresolved": "unresolved"}
    if kind in fixed:
        return fixed[kind]
    if kind == "main" and not short:
        return visible(" + ".join(parameters))
    sign = " + " if kind == "main" else " × "
    return visible(sign.join(names.get(name, name) for name in parameters))


def direction_text(direction: str) -> str:
    """Say which way is better.

    Example:
        >>> direction_text("minimize")
        'lower is better'
    """
    return "lower is better" if direction == "minimize" else "higher is better"


def design_sentence(sweep: Mapping[str, Any]) -> str:
    """Say how many runs there are and how they come about.

    Example:
        >>> design_sentence({"runs": 30, "planned": 30, "trials": 10, "seeds": 3})
        '30 runs = 10 trials × 3 seeds'
        >>> design_sentence({"runs": 4, "planned": 6, "trials": 3, "seeds": 2})
        '4 of 6 runs, 3 trials × 2 seeds'
        >>> design_sentence({"design": "program", "runs": 3, "planned": 3})
        '3 runs of a program'
    """
    if sweep.get("design") == "program":
        return f"{count(sweep['runs'], 'run')} of a program"
    runs, planned = sweep["runs"], sweep["planned"]
    product = f"{count(sweep['trials'], 'trial')} × {count(sweep['seeds'], 'seed')}"
    if runs == planned == sweep["trials"] * sweep["seeds"]:
        return f"{count(runs, 'run')} = {product}"
    return f"{count(runs, 'run') if runs == planned else f'{runs} of {planned} runs'}, {product}"


def run_label(failure: Mapping[str, Any]) -> str:
    """Name a run that did not finish by its values and seed, and the reason.

    Example:
        >>> run_label({"values": {"lr": 0.1}, "seed": 2, "reason": "NaN at step 112"})
        'lr=0.1, seed 2, NaN at step 112'
    """
    parts = [f"{visible(name)}={value_text(value)}" for name, value in failure["values"].items()]
    parts += [] if failure.get("seed") is None else [f"seed {failure['seed']}"]
    parts += [visible(failure["reason"])] if failure.get("reason") else []
    return ", ".join(parts)


def status_lines(summary: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Give each status its count and the runs that ended in it, `finished` first.

    Example:
        >>> status_lines({"statuses": {"lost": 1, "finished": 2},
        ...     "failures": [{"status": "lost", "values": {"lr": 1}, "seed": 0, "reason": None}]})
        [('finished 2', ''), ('lost 1', 'lr=1, seed 0')]
    """
    ordered = sorted(summary["statuses"].items(), key=lambda item: (item[0] != "finished", item[0]))
    return [
        (f"{status} {total}", _named_runs(summary["failures"], status))
        for status, total in ordered
        if total
    ]


def flag_text(flag: Mapping[str, Any]) -> str:
    """Say a flag in words: by what the analysis says of it, else by what it means.

    Example:
        >>> flag_text({"flag": "aliased", "detail": "a and b always change together"})
        'aliased: a and b always change together'
        >>> flag_text({"flag": "aliased", "detail": None})
        'aliased: hyperparameters that changed together cannot be told apart'
    """
    detail = flag.get("detail") or _FLAGS.get(flag["flag"])
    return ": ".join(visible(part) for part in (flag["flag"].replace("_", " "), detail) if part)


def further_sentences(summary: Mapping[str, Any]) -> list[str]:
    """Say what failures, further objectives, costs and time have to tell.

    Example:
        >>> further_sentences({"flags": [], "failure_rates": {"text": "4 of 9 ended runs failed."}})
        ['4 of 9 ended runs failed.']
    """
    flags = {flag["flag"] for flag in summary["flags"]}
    names = ["failure_rates", "cost", "over_time", "precision"]
    names[1:1] = ["better_half"] if "outlier_dominated" in flags else []
    sections = [summary.get(name) or {} for name in names]
    sentences = [visible(section["text"]) for section in sections if section.get("text")]
    others = summary.get("objectives") or {"list": []}
    sentences += [_objective_sentence(other) for other in others["list"]]
    points = (summary.get("next_points") or {"points": []})["points"]
    if points:
        named = "; ".join(values_text(point) for point in points[:_NAMED_POINTS])
        sentences.append(f"Worth running next: {named}.")
    return sentences


def left_out_sentences(summary: Mapping[str, Any]) -> list[str]:
    """Say which hyperparameters are left out, together where it is for one reason.

    Example:
        >>> why = "looks like a result"
        >>> left_out_sentences({"dropped": [{"name": name, "reason": why} for name in "ab"]})
        ['left out: a, b: looks like a result']
    """
    by_reason: dict[str, list[str]] = {}
    for item in summary["dropped"]:
        by_reason.setdefault(visible(item["reason"]), []).append(visible(item["name"]))
    return [f"left out: {', '.join(names)}: {reason}" for reason, names in by_reason.items()]


def _objective_sentence(other: Mapping[str, Any]) -> str:
    mains = [part for part in other["components"] if part["kind"] == "main" and part["share"]]
    head = f"{visible(other['metric'])}, {direction_text(other['direction'])}"
    best = f"best mean {number(other['best']['mean'])} ({values_text(other['best']['values'])})"
    if not mains:
        return f"{head}: nothing is seen to explain it; {best}."
    top = mains[0]
    seen = "" if top["significant"] else ", which may be chance"
    return (
        f"{head}: {visible(top['component'])} explains most ({share(top['share'])}){seen}; {best}."
    )


def best_sentence(summary: Mapping[str, Any]) -> str | None:
    """Name the best run and say whether it beats the runner-up; None when there is none."""
    best = summary.get("best")
    if not best or best.get("objective") is None:
        return None
    statement = best.get("statement") or ""
    if statement.startswith("Best run"):
        return visible(statement)
    epoch = "" if best.get("epoch") is None else f" at epoch {best['epoch']}"
    values = values_text(best["values"])
    return (
        f"Best run {visible(best['run_id'])}{f' ({values})' if values else ''}: "
        f"{number(best['objective'])}{epoch}{_compared(best)}."
    )


def noise_sentence(noise: Mapping[str, Any]) -> str:
    """Say what seeds alone do to one run's objective, or that it is not known.

    Example:
        >>> noise_sentence({"estimable": True, "sigma": 0.0312, "df": 17})
        'Seed noise: σ = 0.031 (17 degrees of freedom).'
    """
    if not noise.get("estimable") or noise.get("sigma") is None:
        return "Seed noise is not known."
    source = f", {visible(noise['source'])}" if noise.get("source") else ""
    df = (
        ""
        if noise.get("df") is None
        else f" ({count(round(noise['df']), 'degree')} of freedom{source})"
    )
    return f"Seed noise: σ = {number(noise['sigma'], 2)}{df}."


def _compared(best: Mapping[str, Any]) -> str:
    if not best.get("runner_up"):
        return ""
    if best.get("better") is None:
        return "; whether it beats the runner-up beyond seed noise cannot be told"
    return f"; {'' if best['better'] else 'not '}better than the runner-up beyond seed noise"


def _named_runs(failures: Sequence[Mapping[str, Any]], status: str) -> str:
    labels = [_named(failure) for failure in failures if failure["status"] == status]
    more = [f"and {len(labels) - _NAMED_RUNS} more"] if len(labels) > _NAMED_RUNS else []
    return "; ".join([*labels[:_NAMED_RUNS], *more])


def _named(failure: Mapping[str, Any]) -> str:
    """Label a run, by its id where neither values nor a seed tell it from others."""
    label = run_label(failure)
    if failure["values"] or failure.get("seed") is not None:
        return label
    return ", ".join(filter(None, (visible(failure["run_id"]), label)))


def _shortest_ending(name: str, paths: Mapping[str, Sequence[str]]) -> str:
    parts = paths[name]
    for size in range(1, len(parts)):
        ending = list(parts[-size:])
        if sum(list(other[-size:]) == ending for other in paths.values()) == 1:
            return ".".join(ending)
    return name
