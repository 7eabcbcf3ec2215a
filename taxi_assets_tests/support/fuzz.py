"""Fuzzing a parser of ours, guided by the branches that its code takes: ``python -m taxi_assets_tests.support.fuzz``.

Belongs here: the loop (``pip install atheris``, which is not among the pinned packages: no test needs it). Does not:
what has to hold (``parsers``). A finding becomes an example in ``test_parsers``.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any


def main() -> None:
    """Fuzz one parser for some seconds; the exit code is that of libFuzzer, not 0 if something was found."""
    parser = argparse.ArgumentParser(prog="python -m taxi_assets_tests.support.fuzz", description=__doc__)
    parser.add_argument("parser", nargs="?", help="a name in parsers.PARSERS")
    parser.add_argument("--list", action="store_true", help="print the names")
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--corpus", type=Path, help="folder of texts to go on from and to add to  [default: one that ends]"
    )
    given = parser.parse_args()
    if given.list:
        from taxi_assets_tests.support.parsers import PARSERS

        print(*PARSERS)
        return
    import atheris

    with atheris.instrument_imports(include=["glue_jobs", "taxi_assets"]):
        from taxi_assets_tests.support.parsers import PARSERS, SEEDS
    holds = PARSERS[given.parser]

    def once(data: bytes) -> None:
        holds(data.decode("utf-8", errors="surrogateescape"))

    with tempfile.TemporaryDirectory() as folder:
        corpus: Any = given.corpus or Path(folder, "corpus")
        corpus.mkdir(parents=True, exist_ok=True)
        for number, text in enumerate(SEEDS[given.parser]):
            (corpus / f"seed{number}").write_text(text)
        options = [f"-max_total_time={given.seconds}", f"-seed={given.seed}", "-max_len=2000", "-rss_limit_mb=4096"]
        options += ["-print_final_stats=1", f"-artifact_prefix={corpus}/found-"]
        atheris.Setup([sys.argv[0], *options, str(corpus)], once)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
