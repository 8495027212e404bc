"""The sections of a page that say what a sweep found."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa

from provrunner.report.figures import Figures
from provrunner.report.markup import Content, Markup, Section, details, element, figure, join, table
from provrunner.report.numbers import (
    NO_VALUE,
    count,
    effect_text,
    interval,
    number,
    p_value,
    share,
)
from provrunner.report.runs_table import run_links, run_name
from provrunner.report.wording import (
    SWEPT_BUT_NEVER_READ,
    best_sentence,
    component_name,
    flag_text,
    noise_sentence,
    short_names,
    value_text,
    values_text,
)

__all__ = ["findings"]

_TRIALS = 50
_ROLES = ("best run", "runner-up")
_BREAK = element("br")
_REFUSALS = frozenset(
    {"cannot_conclude", "constant_metric", "noise_not_estimable", SWEPT_BUT_NEVER_READ}
)


def findings(
    summary: Mapping[str, Any], figures: Figures, artifacts: pa.Table | None
) -> Iterator[Section]:
    """Give the sections in their order; one that has nothing to say has no body."""
    metric = summary["sweep"]["metric"]
    importance = [
        figure("importance", figures),
        details("The figures", _components(summary), _way_back()),
        figure("better-half", figures),
    ]
    curves = [figure("curves", figures), *_course(summary, figures)]
    noise = [
        figure("noise", figures),
        element("p", noise_sentence(summary["noise"])),
        details("All trials, best first", _trials(summary)),
    ]
    yield Section("verdict", "Verdict", "Verdict", _verdict(summary))
    yield Section("importance", "Importance", f"What explains one run's {metric}", join(importance))
    yield Section(
        "hyperparameters",
        "Hyperparameters",
        "What each hyperparameter does",
        _hyperparameters(summary, figures),
    )
    yield Section("curves", "Curves", "Learning curves", join(curves))
    yield Section("noise", "Noise", "Seed noise", join(noise))
    yield Section("best", "Best run", "Best run", _best(summary, artifacts))


def _verdict(summary: Mapping[str, Any]) -> Markup:
    sentences = list(summary["verdicts"])
    best = best_sentence(summary)
    if best and not any(text.startswith("Best run") for text in sentences):
        sentences.append(best)
    words = [element("li", text) for text in sentences]
    refusals = [flag for flag in summary["flags"] if flag["flag"] in _REFUSALS]
    remarks = [flag for flag in summary["flags"] if flag["flag"] not in _REFUSALS]
    return join(
        [
            _key_figures(summary),
            *(element("p", flag_text(flag), class_="flag") for flag in refusals),
            element("ul", *words, class_="verdicts") if words else None,
            *(element("p", f"Note: {flag_text(flag)}", class_="aside") for flag in remarks),
        ]
    )


def _key_figures(summary: Mapping[str, Any]) -> Markup:
    best, noise = summary.get("best"), summary["noise"]
    tiles: list[tuple[str, str, Content]] = []
    if best and best.get("objective") is not None:
        tiles.append(
            (f"best {summary['sweep']['metric']}", number(best["objective"]), run_name(best))
        )
    mains = [item for item in summary["components"] if item["kind"] == "main"]
    if mains and mains[0]["share"] is not None:
        top = mains[0]
        told = [
            " + ".join(top["parameters"]),
            f"{interval(top['low'], top['high'])}, {count(top['n_runs'], 'run')}",
            *([] if top["significant"] else ["not significant"]),
        ]
        tiles.append(("largest share", share(top["share"]), join(told, _BREAK)))
    if noise.get("sigma") is not None:
        told = [] if noise.get("share") is None else [f"share {share(noise['share'])}"]
        told += (
            [] if noise.get("df") is None else [f"{count(round(noise['df']), 'degree')} of freedom"]
        )
        tiles.append(("seed noise σ", number(noise["sigma"], 2), join(told, _BREAK)))
    cells = [
        element("div", element("dt", name), element("dd", value, element("small", below)))
        for name, value, below in tiles
    ]
    return element("dl", *cells, class_="key") if cells else Markup("")


def _components(summary: Mapping[str, Any]) -> Markup:
    components = summary["components"]
    names = short_names(name for item in components for name in item["parameters"])
    rows = [
        (
            component_name(item, names), share(item["share"]), interval(item["low"], item["high"]),
            "" if item["total"] is None else share(item["total"]), p_value(item),
            "yes" if item["significant"] else "no" if p_value(item) else "",
            effect_text(item), str(item["n_runs"]),
        )
        for item in components
    ]  # fmt: skip
    head = (
        "component", "share", "95 % interval", "with its interactions", "p (Holm)", "significant",
        "range of means", "runs",
    )  # fmt: skip
    return table("Shares of the variance", head, rows, figures=(1, 2, 3, 4, 6, 7))


def _way_back() -> Markup:
    return element(
        "p",
        "Which rows of the logs a share rests on: ",
        element("code", "provrunner why NAME"),
        class_="aside",
    )


def _course(summary: Mapping[str, Any], figures: Figures) -> Iterator[Markup]:
    """Yield the picture of the shares by epoch, and its figures."""
    if "course" not in figures:
        return
    from provrunner.report.shares import course_names

    names = course_names(summary)
    rows = [
        (
            str(moment["epoch"]), str(moment["runs"]),
            NO_VALUE if moment["agreement"] is None else f"{moment['agreement']:.2f}",
            *(share(moment["shares"].get(name, 0.0)) for name in names),
        )
        for moment in summary["over_time"]["epochs"]
    ]  # fmt: skip
    short = short_names(name for item in summary["components"] for name in item["parameters"])
    shown = {item["component"]: component_name(item, short) for item in summary["components"]}
    head = ("epoch", "runs", "agreement with the end", *(shown.get(n, n) for n in names))
    yield figure("course", figures)
    figures_ = table("Shares by epoch", head, rows, figures=range(len(head)))
    yield details("The shares at each epoch", figures_)


def _hyperparameters(summary: Mapping[str, Any], figures: Figures) -> Markup:
    rows = [
        (
            item["name"], value_text(item["best"]), ", ".join(map(value_text, item["as_good"])),
            value_text(item["default"]), _gain(item), item["worth_tuning"],
        )
        for item in summary["parameters"]
    ]  # fmt: skip
    head = (
        "hyperparameter", "best", "as good as the best", "default", "gain over the default",
        "worth tuning",
    )  # fmt: skip
    curves = [figure(key, figures) for key in figures if key.startswith("marginal")]
    pairs = [figure(key, figures) for key in figures if key.startswith(("pair", "surface"))]
    legend = (
        "A dot is a run, a cross one that did not finish. The line joins the means with their 95 % "
        "interval; green ground is as good as the best value."
    )
    return join(
        [
            element("p", legend, class_="aside") if curves else None,
            element("div", *curves, class_="grid") if curves else None,
            table("Best values", head, rows, figures=(4,)),
            element("h3", "Two at a time") if pairs else None,
            element("div", *pairs, class_="grid") if pairs else None,
        ]
    )


def _gain(item: Mapping[str, Any]) -> str:
    gain = number(item["gain"], 2)
    if item["gain_low"] is None or item["gain_high"] is None:
        return gain
    return f"{gain} ({number(item['gain_low'], 2)} to {number(item['gain_high'], 2)})"


def _trials(summary: Mapping[str, Any]) -> Markup:
    trials = summary["trials"]
    rows = [
        (
            values_text(trial["values"]) or trial["trial_id"], str(trial["n"]),
            number(trial["mean"]), number(trial["sd"], 2), run_links(trial["runs"]),
        )
        for trial in trials[:_TRIALS]
    ]  # fmt: skip
    left = len(trials) - _TRIALS
    return join(
        [
            table("Trials", ("trial", "runs", "mean", "sd", "which"), rows, figures=(1, 2, 3)),
            element("p", f"{count(left, 'more trial')} in summary.json.") if left > 0 else None,
        ]
    )


def _best(summary: Mapping[str, Any], artifacts: pa.Table | None) -> Markup:
    best = summary.get("best")
    sentence = best_sentence(summary)
    if not best or sentence is None:
        return Markup("")
    rival = best.get("runner_up")
    columns = [best, *([rival] if rival else [])]
    head = ("", *_ROLES[: len(columns)])
    rows: list[Sequence[Content]] = [
        ("run", *map(run_name, columns)),
        *(
            (name, *(value_text(item["values"].get(name)) for item in columns))
            for name in best["values"]
        ),
    ]
    rows.append((summary["sweep"]["metric"], *(number(item["objective"]) for item in columns)))
    return join(
        [
            element("p", sentence),
            table("Best run and runner-up", head, rows),
            _advantage(best),
            _checkpoints(best["run"], artifacts),
        ]
    )


def _advantage(best: Mapping[str, Any]) -> Markup | None:
    difference = best.get("difference")
    if difference is None or best.get("low") is None or best.get("high") is None:
        return None
    limits = f"{number(best['low'], 2)} to {number(best['high'], 2)}"
    side = "better" if difference >= 0 else "worse"
    return element(
        "p",
        f"On average over its seeds, its trial is {number(abs(difference), 2)} {side} than the "
        f"runner-up's; 95 % interval of the advantage: {limits}.",
    )


def _checkpoints(run: int, artifacts: pa.Table | None) -> Markup:
    if artifacts is None:
        return Markup("")
    rows = [
        (row["path"], row["role"] or "", "" if row["epoch"] is None else str(row["epoch"]),
         element("code", (row["sha256"] or "")[:16]))
        for row in artifacts.to_pylist()
        if row["run"] == run and row["kind"] == "checkpoint" and row["deleted"] is None
    ]  # fmt: skip
    return table("Its checkpoints", ("checkpoint", "role", "epoch", "sha256"), rows, figures=(2,))
