"""Several processes make the rows and counts that one makes."""

import pytest

from sekft.config import DataConfig, MaskConfig, MaskRule, ModelConfig
from sekft.data import parallel, sample
from sekft.data.parallel import CHUNK_SAMPLES, MIN_SAMPLES
from sekft.model.locate import load_tokenizer
from tests.data.test_rows import sample as made


@pytest.mark.slow
@pytest.mark.parametrize(("template", "max_tokens"), [(None, 20), pytest.param("chatml", 100, marks=pytest.mark.exhaustive)])
def test_several_processes_make_the_same_rows_and_counts(template: str | None, max_tokens: int):
    tokenizer = load_tokenizer(ModelConfig(name="tiny", path="sekft:tiny", template=template))
    samples = [made(number, turns=1 + number % 3, bad=number % 97 == 5) for number in range(MIN_SAMPLES + CHUNK_SAMPLES // 2)]
    given = (tokenizer, MaskConfig(rule=MaskRule.assistant), DataConfig(), max_tokens)
    one, counted = sample.make_rows(samples, *given)
    many, added = parallel.make_rows(samples, *given, processes=2)
    assert one == many and counted == added and len(counted.dropped) == 2
