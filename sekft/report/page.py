"""Pages a person looks at: one self-contained HTML file each, light and dark, nothing fetched from anywhere."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from sekft.tracking.files import write_text

KIT = Path(__file__).parent  # kit.html.jinja: style and macros of every page


def fill(template: Path, values: Mapping[str, Any]) -> str:
    """The text of a Jinja template beside which the kit can be included; every value is escaped, a missing one is an error."""
    loader = FileSystemLoader([template.parent, KIT])
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    return environment.get_template(template.name).render(values)


def write_page(template: Path, values: Mapping[str, Any], path: Path) -> None:
    """Writes the filled template to path; the file appears whole or not at all."""
    write_text(path, fill(template, values))
