"""The commands and the types of their settings."""

from hydra.core.config_store import ConfigStore

from sekft.config import CheckConfig, CollectConfig, EvalCommandConfig, PreviewConfig, ServeConfig, TrainConfig
from sekft.config.chat import ChatConfig
from sekft.config.compare import CompareConfig
from sekft.config.pretrain import PretrainConfig
from sekft.config.resident import ResidentConfig
from sekft.config.status import ReleaseConfig, StatusConfig

COMMANDS: dict[str, type] = {
    "train": TrainConfig,
    "eval": EvalCommandConfig,
    "resident": ResidentConfig,
    "collect": CollectConfig,
    "check": CheckConfig,
    "preview": PreviewConfig,
    "serve": ServeConfig,
    "chat": ChatConfig,
    "compare": CompareConfig,
    "pretrain": PretrainConfig,
    "status": StatusConfig,
    "release": ReleaseConfig,
}


def register() -> None:
    """Make the types known to Hydra as <command>_types, the first line of every conf/<command>.yaml."""
    for command, node in COMMANDS.items():
        ConfigStore.instance().store(name=f"{command}_types", node=node)
