"""A graph's tables as documents that any PROV tool reads, one module a format."""

from provrunner.graph.export.prov_json import write_prov_json
from provrunner.graph.export.prov_jsonld import write_prov_jsonld
from provrunner.graph.export.prov_n import write_prov_n
from provrunner.graph.export.prov_o import write_nquads, write_turtle
from provrunner.graph.export.prov_xml import write_prov_xml

__all__ = [
    "write_nquads",
    "write_prov_json",
    "write_prov_jsonld",
    "write_prov_n",
    "write_prov_xml",
    "write_turtle",
]
