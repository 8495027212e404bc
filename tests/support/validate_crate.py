"""Validate RO-Crates with roc-validator, with no network: `python validate_crate.py CRATE ...`.

Runs in whatever environment has roc-validator. The context of RO-Crate 1.1, which it would fetch,
is given for the terms that our crates use. Prints every issue that is found, and exits with 1 for
any; `--severity RECOMMENDED` asks for more than what is required.
"""

import argparse
import json
import sys

import requests
from rocrate_validator import services
from rocrate_validator.models import Severity, ValidationSettings
from rocrate_validator.utils.http import HttpRequester

SCHEMA = "http://schema.org/"
TERMS = """
about actionStatus additionalType agent author codeRepository contentSize datePublished description
encodingFormat endTime error exampleOfWork hasPart identifier instrument license mainEntity mentions
name object position programmingLanguage result softwareVersion startTime step url value
valueRequired version workExample ComputerLanguage ControlAction CreateAction CreativeWork Dataset
HowTo HowToStep OrganizeAction Person PropertyValue SoftwareApplication SoftwareSourceCode
""".split()  # noqa: SIM905
CONTEXT = {
    **{term: SCHEMA + term for term in TERMS},
    "File": SCHEMA + "MediaObject",
    "conformsTo": "http://purl.org/dc/terms/conformsTo",
    "FormalParameter": "https://bioschemas.org/FormalParameter",
    "ComputationalWorkflow": "https://bioschemas.org/ComputationalWorkflow",
    "input": "https://bioschemas.org/ComputationalWorkflow#input",
    "output": "https://bioschemas.org/ComputationalWorkflow#output",
}


def get(_requester: HttpRequester, url: str, **_options: object) -> requests.Response:
    response = requests.Response()
    response.url = url
    response.status_code = 200 if url == "https://w3id.org/ro/crate/1.1/context" else 404
    response.headers["Content-Type"] = "application/ld+json"
    response._content = json.dumps({"@id": url, "@context": CONTEXT}).encode()
    return response


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("crates", nargs="+")
    parser.add_argument("--severity", default="REQUIRED")
    words = parser.parse_args()
    HttpRequester.get = get
    failed = False
    for crate in words.crates:
        settings = ValidationSettings(
            rocrate_uri=crate,
            profile_identifier="provenance-run-crate-0.5",
            requirement_severity=Severity[words.severity],
            abort_on_first=False,
        )
        issues = services.validate(settings).get_issues()
        failed |= bool(issues)
        print(f"{crate}: {len(issues)} issues")
        for issue in issues:
            print(f"  {issue.severity.name} {issue.check.identifier}: {issue.message}")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
