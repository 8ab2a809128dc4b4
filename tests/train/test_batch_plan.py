"""The batch plan: every row once, no pass over its limit, the same for the same seed; passes that do not fit are halved."""

from hypothesis import example, given
from hypothesis import strategies as st

from sekft.config import TrainerConfig
from sekft.train.batch_plan import Layout, best_fit, choose_layout, last_step, plan, rows_per_step, shares, steps

LENGTHS = st.lists(st.integers(1, 900), min_size=1, max_size=60)
LAYOUTS = st.builds(Layout, st.integers(0, 1500), st.integers(1, 8))
SEEDS = st.integers(0, 2**31)


@given(LENGTHS, st.integers(1, 20), LAYOUTS, SEEDS, st.integers(0, 9))
def test_an_epoch_has_every_row_exactly_once_in_steps_of_one_size(lengths, per_step, layout, seed, epoch):
    planned = plan(lengths, per_step, layout, seed, epoch)
    assert sorted(row for step in planned for one in step for row in one) == list(range(len(lengths)))
    assert {sum(map(len, step)) for step in planned[:-1]} <= {per_step} and all(one for step in planned for one in step)


def test_a_part_of_an_epoch_is_rounded_up_as_transformers_does():
    assert last_step(TrainerConfig(epochs=1.1, batch=1, accumulation=1), 54) == 60  # 59.4
    assert last_step(TrainerConfig(epochs=1.1, batch=1, accumulation=1, stop_at=0.5), 54) == 30


@given(LENGTHS, st.integers(1, 1500))
def test_only_a_single_longer_row_makes_a_pass_over_the_limit(lengths, most):
    for one in Layout(most).passes(lengths):
        assert sum(lengths[row] for row in one) <= most or len(one) == 1


@given(LENGTHS, st.integers(1, 1500))
def test_no_two_passes_could_be_merged(lengths, most):
    sizes = sorted(sum(lengths[row] for row in one) for one in best_fit(lengths, most))
    assert all(smaller + larger > most for smaller, larger in zip(sizes, sizes[1:], strict=False))


@given(LENGTHS, st.integers(1, 20), SEEDS, st.integers(0, 9), LAYOUTS, LAYOUTS)
def test_the_rows_of_a_step_depend_on_seed_and_epoch_and_not_on_the_layout(lengths, per_step, seed, epoch, one, other):
    def rows_of(layout: Layout) -> list[list[int]]:
        return [sorted(row for single in step for row in single) for step in plan(lengths, per_step, layout, seed, epoch)]

    assert plan(lengths, per_step, one, seed, epoch) == plan(lengths, per_step, one, seed, epoch)
    assert rows_of(one) == rows_of(other)


def test_seed_and_epoch_change_the_order():
    orders = [tuple(steps(50, 50, seed, epoch)[0]) for seed in (0, 1, 10) for epoch in (0, 1, 10)]
    assert len(set(orders)) == 9


def test_the_order_of_seed_0_never_changes():
    assert steps(10, 4, seed=0, epoch=0) == [[1, 0, 2, 4], [9, 3, 8, 6], [7, 5]]  # a resumed run relies on it


def test_best_fit_puts_a_row_where_it_leaves_the_least_room():
    assert best_fit([6, 5, 4, 4, 1], 10) == [[0, 2], [1, 3, 4]]
    assert best_fit([11, 3, 12], 10) == [[0], [1], [2]]


def test_padded_passes_keep_the_order_and_count_their_padding():
    layout = Layout(0, rows=2)
    assert layout.passes([5, 9, 2]) == [[0, 1], [2]]
    assert (layout.computed([5, 9]), Layout(20).computed([5, 9])) == (18, 14)


@given(LENGTHS, LAYOUTS)
@example([1, 239, 240], Layout(240))  # a row alone is as large as a pass of several
def test_halving_makes_the_largest_pass_smaller_until_it_is_a_single_row(lengths, layout):
    largest = []
    while layout is not None:
        largest.append(max(layout.computed([lengths[row] for row in one]) for one in layout.passes(lengths)))
        smallest, layout = layout, layout.halved(lengths)
    assert len(largest) < 20 and all(after < before or after == max(lengths) for before, after in zip(largest, largest[1:], strict=False))
    assert any(len(one) == 1 for one in smallest.passes(lengths))


def test_the_tokens_per_pass_depend_on_the_device_unless_they_are_set():
    assert choose_layout(TrainerConfig(), "cpu") == choose_layout(TrainerConfig(), "mps") == Layout(1024)
    assert choose_layout(TrainerConfig(batch=3), "cuda").tokens == 8192
    assert choose_layout(TrainerConfig(batch=3, tokens_per_batch=0), "cuda") == Layout(0, 3)
    assert choose_layout(TrainerConfig(tokens_per_batch=77), "cpu").tokens == 77
    assert rows_per_step(TrainerConfig(batch=3, accumulation=5, tokens_per_batch=77)) == 15


@given(st.lists(st.integers(1, 500), min_size=1, max_size=40), st.integers(1, 5))
def test_every_row_of_a_step_has_one_rank_and_loads_differ_by_at_most_a_row(lengths: list[int], ranks: int):
    by_rank = shares(lengths, ranks)
    assert sorted(row for own in by_rank for row in own) == list(range(len(lengths))) and len(by_rank) == ranks
    loads = [sum(lengths[row] for row in own) for own in by_rank]
    assert max(loads) - min(loads) <= max(lengths)
