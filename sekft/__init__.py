"""sekft teaches small open language models to operate a shell; docs/api.md shows its use as a library.

The exported names load on first use, so that `import sekft` imports neither torch nor transformers.
"""

from typing import Any

from sekft import crash

__version__ = "0.1.0"

_API = ("draw_scenarios", "evaluate", "load_base", "play", "render", "run_training", "settings", "token_weights")
__all__ = list(_API)

crash.answer_for_start()


def __getattr__(name: str) -> Any:
    if name in _API:
        from sekft import api

        return getattr(api, name)
    raise AttributeError(f"module 'sekft' has no attribute {name!r}; it exports {', '.join(_API)}")


def __dir__() -> list[str]:
    return sorted((*globals(), *_API))
