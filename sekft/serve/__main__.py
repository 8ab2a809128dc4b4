"""OpenAI chat-completions endpoint: base and adapters by name, the same canonical form as in training."""

from pathlib import Path
from typing import Any

from sekft.cli.console import echo
from sekft.cli.launch import launch
from sekft.config import ServeConfig
from sekft.config.job import Job
from sekft.model.adapter import adapters_of, require_adapter
from sekft.model.locate import base_folder
from sekft.rendering.fingerprint import fingerprint
from sekft.sandbox.text import TEXT_VERSION


def run(settings: ServeConfig, job: Job) -> dict[str, Any]:
    from sekft.serve.server import address, listening, require_token, serve

    limits = settings.serve
    require_token(limits)
    adapters = adapters_of(settings.adapter, Path(str(settings.adapter)).resolve().name, [settings.model.name])
    for folder in adapters.values():
        require_adapter(folder)
    base_folder(settings.model, weights=True)
    with listening(limits) as listener:
        from sekft.model import base as bases
        from sekft.model.lora import require_fingerprint
        from sekft.model.named import named

        base = bases.load(settings.model)
        for name, folder in adapters.items():
            if not require_fingerprint(folder, fingerprint(base.tokenizer, base.identity(), TEXT_VERSION)):
                echo(f"{name}: render unproven (no fingerprint.json in {folder})")
        with named(settings.model.name, base, adapters, settings.serve.rows) as models:
            echo(f"models: {', '.join(models.names)}")
            echo(f"listening: {address(listener)}")
            serve(models, listener, limits, silent if limits.quiet else echo)
    echo("stopped")
    return {"command": "serve", "models": list(models.names)}


def silent(_: str) -> None:
    """serve.quiet=true"""


def main() -> None:
    launch("serve", run)


if __name__ == "__main__":
    main()
