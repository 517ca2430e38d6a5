"""SQL over the Parquet files of a catalogue, with DuckDB (extra `query`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .catalogue import Catalogue
from .errors import InputError

if TYPE_CHECKING:
    import pyarrow


def query(catalogue: Catalogue, sql: str, **names: str | None) -> pyarrow.Table:
    """The answer to a query over the tables `dies` and `cells` of all exported runs, or of a lot, wafer or bench.

    Args:
        catalogue: whose runs.
        sql: DuckDB's SQL, e.g. `SELECT lot, wafer, avg(is_good::INT) FROM dies GROUP BY ALL`.
        names: lot, wafer, bench.

    Raises InputError if DuckDB is not installed, no run has been exported, or the query cannot be carried out.
    """
    try:
        import duckdb
    except ImportError as error:
        raise InputError("DuckDB is not installed", remedy='Install it: pip install "mtjlab[query]"') from error
    database: Any = duckdb.connect()
    try:
        for kind, paths in (("dies", catalogue.files("dies", **names)), ("cells", catalogue.files("cells", **names))):
            if paths:
                database.read_parquet([str(path) for path in paths], union_by_name=True).create_view(kind)
        return database.sql(sql).to_arrow_table()
    except duckdb.Error as error:
        raise InputError(
            f"the query cannot be carried out ({error})", where="SQL", remedy="There are the tables dies and cells"
        ) from error
    finally:
        database.close()
