"""From the sources of a run to its rows: read, split, without near-duplicates, rendered, mixed; kept on disk for the next run."""

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace

from sekft.config import DataConfig
from sekft.data import cache, sources
from sekft.data.accounting import Counts, require_enough
from sekft.data.mix import mix_rows, source_shares
from sekft.data.near_duplicates import drop_near_duplicates
from sekft.data.parallel import make_rows
from sekft.data.recipe import DataRecipe, PreparedData
from sekft.data.sample import Row, Sample
from sekft.data.split import split_samples
from sekft.errors import DataError
from sekft.scenario.document import Scenario
from sekft.scenario.leak import leaks

Check = Callable[[Collection[str]], None]


def prepare_data(how: DataRecipe, check: Check = lambda groups: None) -> PreparedData:
    """check: of the groups, before anything is rendered. Raises DataError, SettingsError, MaskError."""
    source_shares(how.data)
    file = cache.file_of(how) if how.data.cache else None
    if file and (known := cache.read(file)) is not None:
        check(known.groups)
        return replace(known, lines=(*known.lines, f"data: as prepared before, {file}"))
    made = _made(how, check)
    if file:
        cache.write(file, made)
    return made


def _made(how: DataRecipe, check: Check) -> PreparedData:
    said: list[str] = []
    samples = sources.read(how.data, said.append)
    groups = tuple(sorted({sample.group for sample in samples}))
    check(groups)
    training, validation = split_samples(samples, how.data, how.seed)
    if left := len(samples) - len(training) - len(validation):
        said.append(f"left out of training: {left} samples of other sources, of scenarios or archetypes that validation has")
    said += _leaks(samples, how.evaluation)
    apart = drop_near_duplicates(training, validation, how.data)
    said += apart.lines()
    learned, counts = _rendered(apart.training, how, said)
    held, held_counts = make_rows(validation, how.tokenizer, how.mask, how.data, how.max_tokens)
    said += [f"data: {counts.line()}; validation: {held_counts.rows} rows{_whence(validation, how.data)}", *counts.bars()]
    return PreparedData(tuple(learned), tuple(held), counts, groups, tuple(said))


def _leaks(samples: Sequence[Sample], evaluation: Sequence[Scenario]) -> list[str]:
    """Of conversations from outside; episodes are held apart by their scenarios, see sekft.check for what these show."""
    foreign = [sample for sample in samples if sample.is_chat]
    if not evaluation or not foreign:
        return []
    found = leaks(evaluation, (message.content for sample in foreign for message in sample.messages))
    return [f"leak: {found.line()}; of {len(foreign)} conversations from outside"] if found else []


def _rendered(samples: Sequence[Sample], how: DataRecipe, said: list[str]) -> tuple[list[Row], Counts]:
    """The rows of every source, and of several the mix."""
    made: dict[str, list[Row]] = {}
    counted: dict[str, Counts] = {}
    for name in how.data.sources:
        own = [sample for sample in samples if sample.source == name]
        made[name], counted[name] = make_rows(own, how.tokenizer, how.mask, how.data, how.max_tokens)
        try:
            require_enough(counted[name], how.data)
        except DataError as error:
            raise (DataError(f"data.sources.{name}: {error}") if len(how.data.sources) > 1 else error) from None
    chosen = mix_rows(made, how.data, how.seed)
    source_of = {id(row): name for name, one in made.items() for row in one}
    counts = _together(counted, chosen) if len(made) > 1 else counted[next(iter(made))]
    counts.sources = dict(Counter(source_of[id(row)] for row in chosen))
    if len(made) == 1:
        return chosen, counts
    said += _proportions(made, chosen)
    return chosen, counts


def _together(counted: Mapping[str, Counts], chosen: Sequence[Row]) -> Counts:
    """Of the rows that were chosen; what was dropped is that of all sources."""
    counts = Counts()
    for row in chosen:
        counts.add(len(row.ids), dict(row.kinds))
    for one in counted.values():
        counts.take_over(one)
    return counts


def _proportions(made: Mapping[str, Sequence[Row]], chosen: Sequence[Row]) -> list[str]:
    """What of each source is in the mix, in rows and tokens."""
    source_of = {id(row): name for name, one in made.items() for row in one}
    total = sum(len(row.ids) for row in chosen)
    said = []
    for name, one in made.items():
        own = [row for row in chosen if source_of[id(row)] == name]
        tokens = sum(len(row.ids) for row in own)
        seen = len({id(row) for row in own})
        said.append(f"mix: {name}: {len(own)} rows ({seen} of {len(one)}), {tokens} tokens, {100 * tokens / total:.1f} %")
    return said


def _whence(validation: Sequence[Sample], data: DataConfig) -> str:
    return f" of {', '.join(sorted({sample.source for sample in validation}))}" if len(data.sources) > 1 and validation else ""
