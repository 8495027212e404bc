"""Describe a sweep or a run as a Provenance Run Crate (RO-Crate 1.1, profile version 0.5)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

from provrunner.errors import GraphError
from provrunner.graph.export.crate_actions import STEP, TOOL, WORKFLOW, add_actions
from provrunner.graph.export.crate_facts import Entity, Facts, refs
from provrunner.graph.query import Graph

__all__ = ["METADATA", "CrateFile", "build_crate"]

METADATA = "ro-crate-metadata.json"
"""The name of the file that a crate is described in."""

_SPECIFICATION = "https://w3id.org/ro/crate/1.1"
_CONTEXT = [
    f"{_SPECIFICATION}/context",
    {"sha256": "https://w3id.org/ro/terms/workflow-run#sha256"},
]
_PROFILES = {
    "https://w3id.org/ro/wfrun/process/0.5": ("Process Run Crate", "0.5"),
    "https://w3id.org/ro/wfrun/workflow/0.5": ("Workflow Run Crate", "0.5"),
    "https://w3id.org/ro/wfrun/provenance/0.5": ("Provenance Run Crate", "0.5"),
    "https://w3id.org/workflowhub/workflow-ro-crate/1.0": ("Workflow RO-Crate", "1.0"),
}
_ENGINE = "https://w3id.org/provrunner"
_UNKNOWN_ENGINE = "#engine"
_LICENSE = "#license"
_UNKNOWN_LICENSE = "No license was given: ask the author before you use this."
_IN_PATHS = "/=+,@!$&'();~"


@dataclass(frozen=True, slots=True)
class CrateFile:
    """A file of a crate.

    Attributes:
        path: relative to the crate, with `/`.
        media_type: what it is, as in `application/json`.
        size_bytes: its size.
        sha256: digest of its bytes.
        run: number of the run that made it; None for the whole sweep.
    """

    path: str
    media_type: str
    size_bytes: int
    sha256: str
    run: int | None = None

    @property
    def id(self) -> str:
        """Its path as a relative IRI."""
        return quote(self.path, safe=_IN_PATHS)


def build_crate(
    graph: Graph, files: Sequence[CrateFile], *, license_: str | None = None
) -> dict[str, object]:
    """Describe a graph and its files; the same input gives the same description.

    The sweep is a workflow run, its plan the workflow, each run the execution of the workflow's one
    step. Ids of actions, people and data are those of the graph after a `#`.

    Args:
        graph: of a sweep, or of one run.
        files: what lies in the crate beside the description; `plan.json` must be among them.
        license_: an IRI or a text; None says that there is none.

    Returns:
        The content of `ro-crate-metadata.json`.

    Raises:
        GraphError: no run has begun, so that there is no execution to describe.
    """
    by_run: dict[int | None, list[str]] = {}
    for file in files:
        by_run.setdefault(file.run, []).append(file.id)
    facts = Facts(graph, by_run)
    if not facts.nodes("pr:Run"):
        raise GraphError("no run of this sweep has begun: a crate is of what was executed")
    _add_root(facts, files, license_)
    _add_workflow(facts, _add_language(facts, files))
    _add_files(facts, files)
    made = [id_ for id_ in by_run.get(None, ()) if id_ != WORKFLOW]
    facts.entities["./"]["mentions"] = refs(add_actions(facts, made, _add_engine(facts)))
    inputs = [id_ for id_, one in facts.entities.items() if one["@type"] == "FormalParameter"]
    for tool in (WORKFLOW, TOOL):
        facts.entities[tool]["input"] = refs(inputs)
    return {"@context": _CONTEXT, "@graph": list(facts.entities.values())}


def _add_root(facts: Facts, files: Sequence[CrateFile], license_: str | None) -> None:
    config = facts.nodes("pr:SweepConfig")[0]
    runs = facts.nodes("pr:Run")
    imports = facts.nodes("pr:Import")
    last = max(one.end or one.start or "" for one in (*runs, *imports))
    about = f"{len(runs)} runs" if len(runs) > 1 else runs[0].label
    made = (
        f"{imports[0].label} by provrunner" if imports else "A hyperparameter sweep of provrunner"
    )
    facts.add(
        METADATA,
        "CreativeWork",
        about={"@id": "./"},
        conformsTo=refs([_SPECIFICATION, list(_PROFILES)[-1]]),
    )
    facts.add(
        "./",
        "Dataset",
        name=f"{config.label}: {about}",
        description=f"{made}: {about}, with logs and provenance.",
        datePublished=last,
        license=refs([_add_license(facts, license_)]),
        author=refs(facts.people),
        conformsTo=refs(_PROFILES),
        mainEntity={"@id": WORKFLOW},
        hasPart=refs([file.id for file in files]),
    )
    for iri, (name, version) in _PROFILES.items():
        facts.add(iri, "CreativeWork", name=name, version=version)


def _add_license(facts: Facts, license_: str | None) -> str:
    iri = license_ if license_ and "://" in license_ else _LICENSE
    text = license_ or _UNKNOWN_LICENSE
    return facts.add(iri, "CreativeWork", name=text, description=text)


def _add_workflow(facts: Facts, language: str) -> None:
    """Add the sweep's plan as the workflow, its one step, and the tool that this runs."""
    config = facts.nodes("pr:SweepConfig")[0]
    types = ["File", "SoftwareSourceCode", "ComputationalWorkflow", "HowTo"]
    facts.add(
        WORKFLOW,
        types,
        name=config.label,
        description="The sweep as declared: its hyperparameters, their values and its runs.",
        programmingLanguage={"@id": language},
        version=config.attributes.get("pr:configSha256", "")[:16],
        hasPart={"@id": TOOL},
        step={"@id": STEP},
    )
    facts.add(
        STEP,
        "HowToStep",
        name="run",
        description="Train and judge a model with the values of one trial and one seed.",
        position="0",
        workExample={"@id": TOOL},
    )
    code = next(iter(facts.nodes("pr:SourceCode")), None)
    told = code.attributes if code else {}
    facts.add(
        TOOL,
        "SoftwareSourceCode",
        name="training",
        description="The user's model, data and training, as each run's configuration names them.",
        codeRepository=told.get("pr:gitRemote"),
        version=told.get("pr:gitCommit") or "unknown",
        url=told.get("pr:gitRemote"),
    )


def _add_language(facts: Facts, files: Sequence[CrateFile]) -> str:
    """Add what the plan is written in: Hydra's grammar, unless the runs have no configuration."""
    if any(file.path.endswith("/config.yaml") for file in files):
        return facts.add("#hydra", "ComputerLanguage", name="Hydra", url="https://hydra.cc")
    return facts.add("#json", "ComputerLanguage", name="JSON", url="https://www.json.org")


def _add_engine(facts: Facts) -> str:
    """Add what set the runs off; of imported ones nobody knows."""
    imports = facts.nodes("pr:Import")
    if imports:
        return facts.add(
            _UNKNOWN_ENGINE,
            "SoftwareApplication",
            name="unknown",
            description=f"What set these runs off was not recorded: {imports[0].label}.",
            softwareVersion="unknown",
        )
    software = [one.attributes for one in facts.nodes("prov:SoftwareAgent")]
    own = [one for one in software if one.get("pr:name") == "provrunner"]
    version = own[0].get("pr:version") if own else None
    return facts.add(
        _ENGINE,
        "SoftwareApplication",
        name="provrunner",
        url=_ENGINE,
        softwareVersion=version or "unknown",
    )


def _add_files(facts: Facts, files: Sequence[CrateFile]) -> None:
    for file in files:
        told: Entity = {
            "encodingFormat": file.media_type,
            "contentSize": str(file.size_bytes),
            "sha256": file.sha256,
        }
        facts.add(file.id, "File", name=file.path.rpartition("/")[2], **told)
        if file.id == WORKFLOW:
            facts.entities[WORKFLOW].update(told)
