"""`sekft.check new=NAME`: a small commented scenario to start from, with the JSON schema for editors."""

import re
import shlex
from pathlib import Path
from typing import Any

from sekft.cli.console import echo
from sekft.errors import SettingsError
from sekft.scenario import schema
from sekft.scenario.document import SCHEMA_FILE
from sekft.tracking.files import write_text

EXAMPLE = Path(__file__).with_name("example.yaml")
YAML = (".yaml", ".yml")
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


def example(path: Path) -> str:
    """The example as the scenario that this file would hold."""
    return EXAMPLE.read_text(encoding="utf-8").replace("@FILE@", shlex.quote(str(path))).replace("@ID@", path.stem)


def write(name: str) -> dict[str, Any]:
    """Write NAME.yaml and the schema beside it. Raises SettingsError if the file exists or the name is none for a scenario."""
    path = Path(name) if Path(name).suffix in YAML else Path(f"{name}.yaml")
    if not _ID.fullmatch(path.stem):
        raise SettingsError(f"new={name}: allowed: a name of letters, digits, dots, dashes and lines, such as new=my_scenario")
    if path.exists():
        raise SettingsError(
            f"new={name}: {path} exists; allowed: the name of a new file. To lint it: python -m sekft.check path={shlex.quote(str(path))}"
        )
    write_text(path, example(path))
    write_text(path.with_name(SCHEMA_FILE), schema.dumps())
    echo(f"written: {path}, and {path.with_name(SCHEMA_FILE)} for your editor")
    echo(f"lint it: python -m sekft.check path={shlex.quote(str(path))}")
    return {"command": "check", "path": str(path)}
