"""Put what files say between the two marks of a document, or check that it stands there."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

BEGIN, END = "<!-- results:begin -->\n", "<!-- results:end -->\n"


def fill(document: Path, block: str, source: str, module: str) -> None:
    """Write ``block`` between the marks of ``document``; with ``--check`` only say whether it stands there.

    Args:
        source: what the block was made from; module: the command that makes it; both for the message.

    Raises:
        SystemExit: with ``--check``, where the document says something else.
    """
    parser = argparse.ArgumentParser(description=f"Fill {document} from {source}.")
    parser.add_argument("--check", action="store_true", help="change nothing; exit with 1 where something would change")
    check = parser.parse_args().check
    text = document.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    after = rest.partition(END)[2]
    wanted = f"{before}{BEGIN}\n{block}\n{END}{after}"
    if check:
        sys.exit(None if wanted == text else f"{document} is not what {source} gives: run python -m {module}")
    document.write_text(wanted, encoding="utf-8")
