"""OpenAI chat-completions endpoint: base and adapters by name, the same canonical form as in training."""

from pathlib import Path
from typing import Any

from sekft.command.launch import Job, echo, launch
from sekft.config import ServeConfig
from sekft.errors import SettingsError
from sekft.eval import require_adapter
from sekft.model.locate import base_folder
from sekft.rendering.fingerprint import fingerprint
from sekft.sandbox.text import TEXT_VERSION


def run(settings: ServeConfig, job: Job) -> dict[str, Any]:
    from sekft.serving.server import address, listening, require_token, serve

    limits = settings.serve
    require_token(limits)
    adapters = adapters_of(settings)
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
        with named(settings.model.name, base, adapters) as models:
            echo(f"models: {', '.join(models.names)}")
            echo(f"listening: {address(listener)}")
            serve(models, listener, limits, silent if limits.quiet else echo)
    echo("stopped")
    return {"verb": "serve", "models": list(models.names)}


def adapters_of(settings: ServeConfig) -> dict[str, Path]:
    """name -> folder. adapter=FOLDER goes by its folder's name. Raises SettingsError."""
    given = settings.adapter
    if isinstance(given, str):
        given = {Path(given).resolve().name: given}
    if given is not None and not (isinstance(given, dict) and all(isinstance(value, str) for value in given.values())):
        raise SettingsError(f"adapter: found {given!r}, allowed: a folder, or several by name: 'adapter={{one: FOLDER, two: FOLDER}}'")
    adapters = {str(name): Path(folder) for name, folder in (given or {}).items()}
    if settings.model.name in adapters:
        raise SettingsError(f"adapter: {settings.model.name} is the name of the base; allowed: any other")
    return adapters


def silent(_: str) -> None:
    """serve.quiet=true"""


def main() -> None:
    launch("serve", run)


if __name__ == "__main__":
    main()
