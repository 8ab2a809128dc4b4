"""HTML pages: one self-contained file each, for light and dark, that loads nothing from the network."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from sekft.tracking.files import write_text

KIT = Path(__file__).parent  # the folder of kit.html.jinja, the style and macros of every page


def render_template(template: Path, values: Mapping[str, Any]) -> str:
    """The text of a Jinja template, which may import kit.html.jinja. Every value is escaped; a missing value is an error."""
    loader = FileSystemLoader([template.parent, KIT])
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    return environment.get_template(template.name).render(values)


def write_page(template: Path, values: Mapping[str, Any], path: Path) -> None:
    """Render the template to path, atomically."""
    write_text(path, render_template(template, values))
