"""An endpoint for OpenAI's chat completions: base and adapters by name, rendered as in training."""

from pathlib import Path
from typing import Any

from sekft.cli.console import echo
from sekft.cli.launch import Work, launch
from sekft.config import ServeConfig
from sekft.config.job import Job


def run(settings: ServeConfig, job: Job) -> dict[str, Any]:
    from sekft.model.adapter import adapter_folders, require_adapter, require_fingerprint
    from sekft.model.locate import base_folder
    from sekft.serve.server import address, listening, require_token, serve

    limits = settings.serve
    require_token(limits)
    adapters = adapter_folders(settings.adapter, Path(str(settings.adapter)).resolve().name, [settings.model.name])
    for folder in adapters.values():
        require_adapter(folder)
    base_folder(settings.model, weights=True)
    with listening(limits) as listener:
        from sekft.model import base as bases
        from sekft.serve.models import served_models

        base = bases.load(settings.model)
        echo(base.line())
        for name, folder in adapters.items():
            if not require_fingerprint(folder, base):
                echo(f"{name}: render unproven (no fingerprint.json in {folder})")
        with served_models(settings.model.name, base, adapters, limits.rows) as models:
            echo(f"models: {', '.join(models.names)}")
            echo(f"listening: {address(listener)}")
            serve(models, listener, limits, discard if limits.quiet else echo)
    echo("stopped")
    return {"command": "serve", "models": list(models.names)}


def discard(_: str) -> None:
    """The report for serve.quiet=true."""


def main() -> None:
    launch("serve", lambda: Work(run))


if __name__ == "__main__":
    main()
