import numpy as np
import pytest

from msarch.data.batches import training_batch, validation_windows

TOKENS = np.arange(1000, dtype=np.uint16)


def test_targets_are_the_inputs_moved_on_by_one() -> None:
    inputs, targets = training_batch(TOKENS, seed=1, step=2, batch_size=8, context=16)
    assert inputs.shape == targets.shape == (8, 16)
    assert inputs.dtype == targets.dtype == np.int64
    assert (targets == inputs + 1).all()


def test_a_batch_is_a_function_of_its_arguments() -> None:
    def starts(seed: int, step: int) -> tuple[int, ...]:
        return tuple(training_batch(TOKENS, seed=seed, step=step, batch_size=8, context=16)[0][:, 0])

    assert starts(1, 2) == starts(1, 2)
    assert len({starts(seed, step) for seed in range(3) for step in range(3)}) == 9


def test_windows_reach_the_first_and_the_last_token_and_no_further() -> None:
    inputs, targets = training_batch(TOKENS[:18], seed=0, step=0, batch_size=200, context=16)
    assert set(inputs[:, 0]) == {0, 1}
    assert targets.max() == 17


def test_a_text_of_one_window_is_enough_and_a_shorter_one_is_not() -> None:
    inputs, _ = training_batch(TOKENS[:17], seed=0, step=0, batch_size=2, context=16)
    assert (inputs == np.arange(16)).all()
    with pytest.raises(AssertionError, match="no window"):
        training_batch(TOKENS[:16], seed=0, step=0, batch_size=2, context=16)


@pytest.mark.parametrize(
    ("targets", "context", "batch_size"),
    [(100, 16, 4), (96, 16, 4), (5, 16, 4), (16, 16, 4), (999, 7, 3), (64, 1, 5), (1, 1, 1), (17, 16, 1)],
)
def test_validation_covers_each_target_once_in_order(targets: int, context: int, batch_size: int) -> None:
    seen: list[int] = []
    for inputs, wanted in validation_windows(TOKENS, targets=targets, context=context, batch_size=batch_size):
        assert inputs.shape == wanted.shape
        assert inputs.shape[0] <= batch_size and inputs.shape[1] <= context
        assert (wanted == inputs + 1).all()
        seen += wanted.ravel().tolist()
    assert seen == list(range(1, targets + 1))


def test_validation_needs_one_token_more_than_targets() -> None:
    assert list(validation_windows(TOKENS, targets=999, context=10, batch_size=4))
    with pytest.raises(AssertionError, match="no 1000 targets"):
        list(validation_windows(TOKENS, targets=1000, context=10, batch_size=4))
