"""Prepares the rows of a run: reads its sources, splits, drops near-duplicates, renders and mixes; cached for the next run."""

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


def prepare_data(recipe: DataRecipe, check: Check = lambda groups: None) -> PreparedData:
    """The rows of a recipe, from the cache if they were prepared before. Raises DataError, SettingsError, MaskError.

    check: called with the groups before anything is rendered; what it raises passes through.
    """
    source_shares(recipe.data)  # refuses weights that cannot be mixed before anything is read
    file = cache.cache_file(recipe) if recipe.data.cache else None
    if file and (cached := cache.read(file)) is not None:
        check(cached.groups)
        return replace(cached, lines=(*cached.lines, f"data: read from the cache, {file}"))
    prepared = _prepare(recipe, check)
    if file:
        cache.write(file, prepared)
    return prepared


def _prepare(recipe: DataRecipe, check: Check) -> PreparedData:
    lines: list[str] = []
    samples = sources.read(recipe.data, lines.append)
    groups = tuple(sorted({sample.group for sample in samples}))
    check(groups)
    training, validation = split_samples(samples, recipe.data, recipe.seed)
    if dropped := len(samples) - len(training) - len(validation):
        lines.append(f"dropped from training: {dropped} samples of other sources that share a scenario or archetype with validation")
    lines += _leak_lines(samples, recipe.evaluation)
    deduplicated = drop_near_duplicates(training, validation, recipe.data)
    lines += deduplicated.lines()
    training_rows, counts = _training_rows(deduplicated.training, recipe, lines)
    validation_rows, validation_counts = make_rows(validation, recipe.tokenizer, recipe.mask, recipe.data, recipe.max_tokens)
    of_sources = f" of {', '.join(sorted({sample.source for sample in validation}))}" if len(recipe.data.sources) > 1 and validation else ""
    lines += [f"data: {counts.line()}; validation: {validation_counts.rows} rows{of_sources}"]
    lines += unended_lines(deduplicated.training, counts)
    return PreparedData(tuple(training_rows), tuple(validation_rows), counts, groups, tuple(lines))


def unended_lines(training: Sequence[Sample], counts: Counts) -> list[str]:
    """A line if nothing teaches the adapter to end a session, which is no error as conversations from outside need no exit or panic."""
    if counts.by_kind["terminal"] or not any(sample.is_chat for sample in training):
        return []
    return [
        "data: no exit or panic is learned; chats need none (data.max_endless_share is for episodes), "
        "and 'data=[own,shell]' adds episodes that end"
    ]


def _leak_lines(samples: Sequence[Sample], evaluation: Sequence[Scenario]) -> list[str]:
    """A line if conversations from outside hold text of the evaluation. Episodes are not searched: they are split by scenario."""
    outside = [sample for sample in samples if sample.is_chat]
    if not evaluation or not outside:
        return []
    leaked = leaks(evaluation, (message.content for sample in outside for message in sample.messages))
    return [f"leak: {leaked.line()}; in {len(outside)} conversations from outside"] if leaked else []


def _training_rows(samples: Sequence[Sample], recipe: DataRecipe, lines: list[str]) -> tuple[list[Row], Counts]:
    """The rows of every source, mixed if there are several, and their counts. Raises DataError if a source loses too many."""
    rows: dict[str, list[Row]] = {}
    counts: dict[str, Counts] = {}
    for name in recipe.data.sources:
        own = [sample for sample in samples if sample.source == name]
        rows[name], counts[name] = make_rows(own, recipe.tokenizer, recipe.mask, recipe.data, recipe.max_tokens)
        _require_enough(name, counts[name], recipe.data)
    mixed = mix_rows(rows, recipe.data, recipe.seed)
    source_of = {id(row): name for name, own_rows in rows.items() for row in own_rows}
    total = _mixed_counts(counts, mixed) if len(rows) > 1 else counts[next(iter(rows))]
    total.sources = dict(Counter(source_of[id(row)] for row in mixed))
    if len(rows) > 1:
        lines += _mix_lines(rows, mixed, source_of)
    return mixed, total


def _require_enough(name: str, counts: Counts, data: DataConfig) -> None:
    try:
        require_enough(counts, data)
    except DataError as error:
        raise (DataError(f"data.sources.{name}: {error}") if len(data.sources) > 1 else error) from None


def _mixed_counts(by_source: Mapping[str, Counts], mixed: Sequence[Row]) -> Counts:
    """The counts of the mixed rows, with the losses of all sources."""
    counts = Counts()
    for row in mixed:
        counts.add(len(row.ids), dict(row.kinds))
    for own in by_source.values():
        counts.add_losses(own)
    return counts


def _mix_lines(rows: Mapping[str, Sequence[Row]], mixed: Sequence[Row], source_of: Mapping[int, str]) -> list[str]:
    """A line per source: its rows and tokens in the mix."""
    total = sum(len(row.ids) for row in mixed)
    lines = []
    for name, available in rows.items():
        own = [row for row in mixed if source_of[id(row)] == name]
        tokens = sum(len(row.ids) for row in own)
        distinct = len({id(row) for row in own})
        lines.append(
            f"mix: {name}: {len(own)} rows ({distinct} of its {len(available)}), {tokens} tokens, {100 * tokens / total:.1f} % of the mix"
        )
    return lines
