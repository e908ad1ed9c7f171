"""Fingerprints of workloads after edits of the code they rest on: run as a program, for tests of ``core.behaviour``.

Reads ``[[label, name, options, [[file, old, new], ...]], ...]`` as JSON from the file of the first argument. The files
lie under the working directory, which holds a copy of the package; edits are undone after each case. Prints
``{label: record}`` as JSON.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any


def main() -> None:
    sys.path.insert(0, str(Path.cwd()))
    sys.dont_write_bytecode = True
    cases = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    sys.stdout.write(
        json.dumps({label: fingerprint(name, options, edits) for label, name, options, edits in cases}) + "\n"
    )


def fingerprint(name: str, options: dict[str, Any], edits: list[list[str]]) -> dict[str, Any]:
    kept: dict[Path, str | None] = {}
    for file, old, new in edits:
        path = Path(file)
        text = path.read_text(encoding="utf-8") if path.exists() else None
        kept.setdefault(path, text)
        assert old in (text or ""), f"{file} has no {old!r}"
        path.write_text((text or "").replace(old, new), encoding="utf-8")
    for module in list(sys.modules):
        if module.startswith(("hptune_bench", "helpers", "late", "model", "own_fit")):
            del sys.modules[module]
    try:
        from hptune_bench import registry
        from hptune_bench.core.behaviour import behaviour

        return behaviour(registry.make_workload(name, options)).record()
    finally:
        for path, text in kept.items():
            if text is None:
                path.unlink()
            else:
                path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
