"""The summary as Markdown, for a pull request or a lab book."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from provrunner.report.escape import markdown_text
from provrunner.report.numbers import effect_text, interval, number, p_value, share
from provrunner.report.wording import (
    best_sentence,
    component_name,
    design_sentence,
    direction_text,
    flag_text,
    further_sentences,
    noise_sentence,
    run_label,
    short_names,
    status_lines,
    value_text,
    values_text,
    with_ordered_values,
)

__all__ = ["summary_markdown"]

_TRIALS = 20


def summary_markdown(summary: Mapping[str, Any], *, about: Sequence[str] = ()) -> str:
    """Write the summary as Markdown; the same summary gives the same text.

    Args:
        summary: the sensitivity summary as plain values (`Summary.to_dict`).
        about: lines to put below the title, such as `Sweep.about` gives.
    """
    summary = with_ordered_values(summary)
    sections = [
        _opening(summary),
        "\n".join(f"- {markdown_text(line)}" for line in about),
        _verdict(summary),
        _components(summary),
        _hyperparameters(summary),
        _items("Further", map(markdown_text, further_sentences(summary))),
        _next_points(summary),
        _trials(summary),
        _failures(summary),
        _design(summary),
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def _opening(summary: Mapping[str, Any]) -> str:
    sweep = summary["sweep"]
    statuses = ", ".join(words for words, _ in status_lines(summary))
    facts = (
        f"{design_sentence(sweep)}; {markdown_text(sweep['metric'])}, "
        f"{direction_text(sweep['direction'])}; {markdown_text(statuses)}."
    )
    return f"# {markdown_text(sweep['name'])}\n\n{facts}"


def _verdict(summary: Mapping[str, Any]) -> str:
    sentences = [*summary["verdicts"]]
    best = best_sentence(summary)
    if best and not any(sentence.startswith("Best run") for sentence in sentences):
        sentences.append(best)
    return _items("Verdict", map(markdown_text, sentences))


def _components(summary: Mapping[str, Any]) -> str:
    components = summary["components"]
    names = short_names(name for item in components for name in item["parameters"])
    rows = [
        (
            markdown_text(component_name(item, names)),
            share(item["share"]),
            interval(item["low"], item["high"]),
            p_value(item).replace("<", "&lt; "),
            "yes" if item["significant"] else "",
            effect_text(item),
            str(item["n_runs"]),
        )
        for item in components
    ]
    head = ("component", "share", "95 % interval", "p", "significant", "range of means", "runs")
    title = f"What explains one run's {markdown_text(summary['sweep']['metric'])}"
    table = _table(title, head, rows)
    return f"{table}\n\n{markdown_text(noise_sentence(summary['noise']))}" if table else ""


def _hyperparameters(summary: Mapping[str, Any]) -> str:
    rows = [
        (
            markdown_text(item["name"]),
            markdown_text(value_text(item["best"])),
            markdown_text(", ".join(map(value_text, item["as_good"]))),
            markdown_text(value_text(item["default"])),
            number(item["gain"], 2),
            markdown_text(item["worth_tuning"]),
        )
        for item in summary["parameters"]
    ]
    head = ("hyperparameter", "best", "as good as the best", "default", "gain", "worth tuning")
    return _table("Hyperparameters", head, rows)


def _next_points(summary: Mapping[str, Any]) -> str:
    found = summary.get("next_points")
    if not found:
        return ""
    longest = max((len(run) for run in re.findall("`+", found["config"])), default=0)
    fence = "`" * max(3, longest + 1)
    reason = markdown_text(f"{found['reason']}.")
    return f"## Worth running next\n\n{reason}\n\n{fence}yaml\n{found['config']}{fence}"


def _trials(summary: Mapping[str, Any]) -> str:
    trials = summary["trials"]
    rows = [
        (
            markdown_text(values_text(trial["values"]) or trial["trial_id"]),
            str(trial["n"]),
            number(trial["mean"]),
            number(trial["sd"], 2),
        )
        for trial in trials[:_TRIALS]
    ]
    table = _table("Trials, best first", ("trial", "runs", "mean", "sd of seeds"), rows)
    left = len(trials) - _TRIALS
    return f"{table}\n\n{left} more trials are in summary.json." if left > 0 else table


def _failures(summary: Mapping[str, Any]) -> str:
    return _items(
        "Runs that did not finish",
        (
            f"{markdown_text(run['run_id'])}, {markdown_text(run['status'])}: "
            f"{markdown_text(run_label(run))}"
            for run in summary["failures"]
        ),
    )


def _design(summary: Mapping[str, Any]) -> str:
    lines = [markdown_text(summary["sweep"]["design_text"])]
    lines += [markdown_text(flag_text(flag)) for flag in summary["flags"]]
    lines += [
        f"left out: {markdown_text(item['name'])}, {markdown_text(item['reason'])}"
        for item in summary["dropped"]
    ]
    advice = summary.get("advice")
    lines += [markdown_text(advice["text"])] if advice and advice.get("text") else []
    return _items("Design and limits", lines)


def _items(title: str, lines: Iterable[str]) -> str:
    body = "\n".join(f"- {line}" for line in lines if line)
    return f"## {title}\n\n{body}" if body else ""


def _table(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    if not rows:
        return ""
    lines = [head, ["---"] * len(head), *rows]
    return f"## {title}\n\n" + "\n".join(f"| {' | '.join(line)} |" for line in lines)
