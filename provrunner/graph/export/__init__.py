"""A graph's tables as documents that any PROV tool reads, one module a format."""

from provrunner.graph.export.prov_json import write_prov_json
from provrunner.graph.export.prov_n import write_prov_n

__all__ = ["write_prov_json", "write_prov_n"]
