"""Every setting of sekft: its type, unit, meaning, bounds and default. Values are in conf/."""

from sekft.config.commands import (
    Action,
    Again,
    ChatConfig,
    CheckConfig,
    CollectConfig,
    CompareConfig,
    EvalCommandConfig,
    Mode,
    PreviewConfig,
    ReleaseConfig,
    ResidentConfig,
    ServeConfig,
    ServerConfig,
    Stage,
    StatusConfig,
    TrainConfig,
)
from sekft.config.data import DEFAULT_DETOURS, Calls, DataConfig, Detour, Filter, HoldOut, MixBy, Overlong, SourceConfig, SourceKind, System
from sekft.config.endpoint import AgentConfig, AgentKind, AuthorConfig, AuthorKind, EndpointConfig, Export, text_or_file
from sekft.config.evaluation import BackendKind, Choose, Engine, EvalConfig, SandboxConfig, SplitConfig, Suite
from sekft.config.job import Job, Report, RunFunction
from sekft.config.model import Device, Dtype, ModelConfig, Weights
from sekft.config.pretrain import CorpusConfig, PretrainConfig, ShapeConfig
from sekft.config.training import (
    BudgetConfig,
    LoraConfig,
    MaskConfig,
    MaskRule,
    Precision,
    RepairConfig,
    Schedule,
    Start,
    TrainerConfig,
)
from sekft.config.where import REMOTE, Tracker, TrackerConfig, Where, WhereConfig

__all__ = [
    "REMOTE", "Action", "Again", "AgentConfig", "AgentKind", "AuthorConfig", "AuthorKind", "BackendKind", "BudgetConfig", "Calls",
    "ChatConfig", "CheckConfig", "Choose", "CollectConfig", "CompareConfig", "CorpusConfig", "DEFAULT_DETOURS", "DataConfig", "Detour",
    "Device", "Dtype", "EndpointConfig", "Engine", "EvalCommandConfig", "EvalConfig", "Export", "Filter", "HoldOut", "Job",
    "LoraConfig", "MaskConfig", "MaskRule", "MixBy", "Mode", "ModelConfig", "Overlong", "Precision", "PretrainConfig", "PreviewConfig",
    "ReleaseConfig", "RepairConfig", "Report", "ResidentConfig", "RunFunction", "SandboxConfig", "Schedule", "ServeConfig",
    "ServerConfig", "ShapeConfig", "SourceConfig", "SourceKind", "SplitConfig", "Stage", "Start", "StatusConfig", "Suite", "System",
    "Tracker", "TrackerConfig", "TrainConfig", "TrainerConfig", "Weights", "Where", "WhereConfig", "text_or_file",
]  # fmt: skip
