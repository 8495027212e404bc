"""Read a sweep with pandas, Polars and DuckDB: python read.py outputs/lr_grid"""

import sys
from pathlib import Path

import duckdb
import pandas as pd
import polars as pl

import provrunner

sweep = provrunner.open_sweep(sys.argv[1] if len(sys.argv) > 1 else None)
sweep.write()  # tables/*.parquet; a sweep that was run to its end has them already
folder = Path(sweep.folder)
log = sorted(folder.glob("runs/*/log/metrics.arrow"))[0]

print("# pandas: the log of one run, as it was written")
metrics = pd.read_feather(log)
print(metrics.groupby(["name", "stage"], observed=True)["value"].agg(["size", "last"]))

print("\n# Polars: the same file")
print(pl.read_ipc(log).group_by("name").agg(pl.len(), pl.col("value").last()).sort("name"))

print("\n# DuckDB: tables of the whole sweep, with no provrunner needed")
runs = duckdb.read_parquet(str(folder / "tables" / "runs.parquet"))
print(duckdb.sql("select run, status, objective from runs order by run"))

print("\n# provrunner: the same tables by name, also while the sweep runs")
print(sweep.sql("select run, max(epoch) as epoch, count(*) as values from metrics group by run"))
print(sweep.runs.to_pandas()[["run", "status", "objective"]])
