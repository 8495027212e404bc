import re
from pathlib import Path

from provrunner.schema import EVENT_KINDS


def test_the_docs_name_every_kind_of_event():
    text = (Path(__file__).parents[2] / "docs" / "capture.md").read_text(encoding="utf-8")
    table = text.partition("## Events")[2].partition("\n## ")[0]
    rows = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    assert {kind for row in rows for kind in re.findall(r"`(\w+)`", row)} == set(EVENT_KINDS)
