"""Trace the best number of a sweep to all that made it, with rdflib and the words of PROV alone.

Usage: python trace.py [outputs/SWEEP/.../prov/sweep.ttl]
"""

import sys
from pathlib import Path

import rdflib

PREFIXES = """
prefix prov: <http://www.w3.org/ns/prov#>
prefix pr: <https://w3id.org/provrunner/ns#>
"""

BEST = """
select ?number ?name ?value where {
  ?number a pr:Metric ; pr:best true ; pr:name ?name ; prov:value ?value .
  ?sweep a pr:SweepConfig ; pr:direction ?direction .
}
order by (if(?direction = "maximize", -?value, ?value)) limit 1
"""

ORIGIN = """
select distinct ?label ?what ?told where {
  ?number (prov:wasGeneratedBy | prov:wasDerivedFrom | prov:used | prov:wasAssociatedWith
    | prov:actedOnBehalfOf | prov:hadMember)* ?thing .
  ?thing rdfs:label ?label ; ?what ?told .
  filter(?what in (pr:sha256, pr:gitCommit, pr:package, prov:value)
    || ?what = pr:name && exists { ?thing a prov:Person })
}
order by ?label ?told
"""

EXECUTED = """
select distinct ?run ?name ?value where {
  ?step a pr:Step ; rdfs:label "fit" .
  ?association prov:hadPlan ?step .
  ?fit prov:qualifiedAssociation ?association ; prov:qualifiedStart ?start .
  ?start prov:hadActivity ?run .
  ?run prov:used ?setting .
  ?setting a pr:SweptSetting ; pr:name ?name ; prov:value ?value .
}
order by ?run ?name
"""


def main() -> None:
    """Print the best number, what it came from, and which runs fitted with which values."""
    given = sys.argv[1:] or sorted(map(str, Path("outputs").glob("*/*/prov/sweep.ttl")))[-1:]
    graph = rdflib.Graph().parse(given[0])
    best = next(iter(graph.query(PREFIXES + BEST)))
    print(f"{best.name} = {best.value}")
    for row in graph.query(PREFIXES + ORIGIN, initBindings={"number": best.number}):
        print(f"  {row.label}: {short(row.what)} {row.told}")
    print("\nwho fitted, with which values")
    for row in graph.query(PREFIXES + EXECUTED):
        print(f"  {short(row.run)}: {row.name} = {row.value}")


def short(iri: str) -> str:
    """Return the last part of an IRI."""
    return iri.replace("#", "/").rpartition("/")[2]


if __name__ == "__main__":
    main()
