"""Pages a person looks at: one self-contained HTML file each, light and dark, nothing fetched from anywhere."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

TEMPLATES = Path(__file__).parent


def write_page(template: str, values: Mapping[str, Any], path: Path) -> None:
    """Fill report/<template>.html.jinja; every value is escaped. The file appears whole or not at all."""
    environment = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    partial = path.with_name(path.name + ".partial")
    text = environment.get_template(f"{template}.html.jinja").render(values)
    try:
        partial.write_text(text, encoding="utf-8")
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
