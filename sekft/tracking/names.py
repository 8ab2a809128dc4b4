"""What a person calls a run: in the settings, else in W&B's own variables."""

import os
from dataclasses import asdict, dataclass
from typing import Any

from sekft.config import TrackerConfig


@dataclass(frozen=True)
class Names:
    """The names that were given; None or empty for those that were not."""

    name: str | None = None
    tags: tuple[str, ...] = ()
    notes: str | None = None
    group: str | None = None
    project: str | None = None
    entity: str | None = None

    def facts(self) -> dict[str, Any]:
        """The names that were given, for run.json."""
        return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items() if value}


def given(tracker: TrackerConfig) -> Names:
    """The names of `tracker.*`; those that are not set come from WANDB_NAME, WANDB_TAGS, WANDB_NOTES, WANDB_RUN_GROUP, WANDB_PROJECT and
    WANDB_ENTITY, whichever tracker shows the run."""
    tags = tracker.tags or os.environ.get("WANDB_TAGS", "").split(",")
    return Names(
        name=tracker.name or os.environ.get("WANDB_NAME") or None,
        tags=tuple(dict.fromkeys(tag.strip() for tag in tags if tag.strip())),
        notes=tracker.notes or os.environ.get("WANDB_NOTES") or None,
        group=tracker.group or os.environ.get("WANDB_RUN_GROUP") or None,
        project=tracker.project or os.environ.get("WANDB_PROJECT") or None,
        entity=tracker.entity or os.environ.get("WANDB_ENTITY") or None,
    )
