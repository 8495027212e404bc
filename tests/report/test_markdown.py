from provrunner.report import summary_markdown


def test_markdown_holds_verdict_table_failures_design_and_flags(summary):
    text = summary_markdown(summary)
    assert text.startswith(
        "# lr\\_grid\n\n30 runs = 10 trials × 3 seeds; val/loss, lower is better;"
    )
    assert "| optimizer.lr | 0.83 | 0.71 – 0.90 | &lt; 0.001 | yes | 0.42 (13 σ) | 29 |" in text
    assert "Seed noise: σ = 0.031 (17 degrees of freedom, within trials)." in text
    assert "- 0026-fa6d9d8e, diverged: optimizer.lr=0.1, model.width=16, seed 2, " in text
    assert "- unbalanced: one trial has 2 runs" in text
    assert "- left out: model.depth, the same in all runs" in text
    assert "- Best run 0015-46e2d722 (lr 0.01, width 64): 0.0960 at epoch 9" in text
    assert text.endswith("\n")


def test_the_same_summary_gives_the_same_markdown(summary):
    assert summary_markdown(summary) == summary_markdown(summary)


def test_names_cannot_add_markup_cells_or_html(summary):
    name = "x|y](http://evil)<script>*\n# h"
    summary["parameters"][0]["name"] = name
    summary["components"][0]["parameters"] = [name]
    text = summary_markdown(summary)
    assert "x\\|y\\](http://evil)&lt;script&gt;\\*\\\\n\\# h" in text
    assert "<script>" not in text
    rows = [line for line in text.splitlines() if line.startswith("| x")]
    assert [row.replace("\\|", "").count("|") for row in rows] == [8, 7]


def test_long_lists_of_trials_say_what_is_left_out(summary):
    summary["trials"] = summary["trials"] * 3
    assert "10 more trials are in summary.json." in summary_markdown(summary)


def test_an_empty_analysis_still_says_what_ran(summary):
    for key in ("components", "parameters", "trials", "failures", "flags", "dropped", "verdicts"):
        summary[key] = []
    summary["best"] = summary["advice"] = None
    assert summary_markdown(summary) == (
        "# lr\\_grid\n\n30 runs = 10 trials × 3 seeds; val/loss, lower is better; finished 29, "
        "diverged 1.\n\n## Design and limits\n\n"
        "- full grid of 10 trials, 3 seeds each, the same in all trials\n"
    )
