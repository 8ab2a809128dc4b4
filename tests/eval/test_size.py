"""eval=auto: as many scenarios as base and device allow in a stated time, with the gain that they can show."""

import pytest

from sekft.config import AgentConfig, AgentKind, Device, EvalCommandConfig, EvalConfig, ModelConfig, SplitConfig, TrainConfig
from sekft.eval import size
from sekft.eval.power import detectable
from sekft.model.shape import Size

SMOLLM2 = Size(134515008, 8192, "a test", 23040)
MISTRAL = Size(7.24e9, 32768, "a test", 131072)
SPLIT = SplitConfig(name="archetype", held_out=["copy", "move", "sort", "tidy"])
NOTHING = ModelConfig(name="m", path="no/where", parameters=7.24e9, context=32768, device=Device.cpu)
ALL = frozenset({"eval.episodes", "eval.max_turns", "eval.max_reply_tokens", "eval.max_episode_tokens", "eval.rows"})


def chosen(base: Size, device: str, cores: int = 2) -> dict[str, object]:
    return {choice.key.removeprefix("eval."): choice.value for choice in size.choices(base, device, cores)}


def test_the_embedded_base_keeps_its_limits_on_every_device():
    limits = {"max_turns": 12, "max_reply_tokens": 48, "max_episode_tokens": 2048}
    for device in ("cpu", "cuda"):
        assert chosen(Size(2164416, 1024, "a test"), device) == {"episodes": 64, **limits}


@pytest.mark.parametrize(
    ("base", "device", "cores", "episodes", "turns"),
    [(SMOLLM2, "cpu", 2, 64, 12), (SMOLLM2, "cpu", 1, 32, 12), (Size(3.6e8, 8192, ""), "cpu", 2, 16, 12), (MISTRAL, "cpu", 8, 16, 12),
     (MISTRAL, "cuda", 16, 64, 16), (Size(None, None, ""), "cuda", 16, 64, 16)],
)  # fmt: skip
def test_a_slower_device_plays_fewer_scenarios(base: Size, device: str, cores: int, episodes: int, turns: int):
    found = chosen(base, device, cores)
    assert (found["episodes"], found["max_turns"]) == (episodes, turns)


def test_rows_follow_the_memory_of_a_gpu():
    def rows(base: Size, gib: float, width: float = 2.0, device: str = "cuda") -> int:
        return int(size.rows_choice(base, device, width, gib * 2**30).value)

    assert (rows(MISTRAL, 141), rows(MISTRAL, 24, 0.5), rows(MISTRAL, 8), rows(SMOLLM2, 141), rows(SMOLLM2, 8, device="cpu")) == (
        32, 8, 8, 128, 32,
    )  # fmt: skip


def test_the_gain_that_can_be_shown_and_how_to_get_more_are_said():
    settings = TrainConfig(model=NOTHING, split=SPLIT, dry_run=True)
    (episodes,) = size.choose(settings, frozenset({"eval.episodes", "trainer.lr"}))
    gain = detectable(16, 4)
    assert episodes.value == 16 and ("cannot promote" if gain is None else f"a gain of {gain:.2f}") in episodes.why
    assert "minutes for base and tuned model on" in episodes.why and "eval=full" in episodes.why


def test_without_an_evaluation_nothing_is_chosen():
    assert size.choose(TrainConfig(model=NOTHING, split=SPLIT, dry_run=True, eval=EvalConfig(episodes=0)), ALL - {"eval.episodes"}) == []


def test_of_an_endpoint_no_base_is_looked_for():
    settings = EvalCommandConfig(agent=AgentConfig(kind=AgentKind.endpoint), split=SPLIT)
    assert {choice.key: choice.value for choice in size.choose(settings, ALL)}["eval.episodes"] == 64
