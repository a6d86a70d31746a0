"""CUDA's caching allocator, replayed: its rules one by one, then at random."""

from __future__ import annotations

from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from msarch.memory.cuda_allocator import CachingAllocator, MemoryBlock, in_blocks

KIB, MIB = 2**10, 2**20


def _sizes(*sizes: int) -> Iterator[int]:
    allocator = CachingAllocator()
    return (allocator.allocate(size).size for size in sizes)


def test_sizes_are_rounded_up_to_512_bytes() -> None:
    assert list(_sizes(1, 512, 513, 300 * KIB)) == [512, 512, 1024, 300 * KIB]


def test_segments_are_2_mib_for_small_20_for_large_and_as_wanted_for_huge_tensors() -> None:
    for size, reserved in ((KIB, 2), (MIB, 2), (MIB + 1, 20), (9 * MIB, 20), (10 * MIB, 10), (11 * MIB, 12)):
        allocator = CachingAllocator()
        allocator.allocate(size)
        assert allocator.reserved == reserved * MIB, size


def test_a_large_block_keeps_a_rest_of_up_to_1_mib() -> None:
    assert list(_sizes(11 * MIB)) == [12 * MIB], "the rest of 1 MiB is not worth keeping"
    assert list(_sizes(10 * MIB + 512 * KIB)) == [10 * MIB + 512 * KIB], "a rest of 1.5 MiB is"


def test_the_smallest_free_block_that_is_large_enough_is_taken() -> None:
    allocator = CachingAllocator()
    kept = [allocator.allocate(size * MIB) for size in (12, 16, 14)]
    for block in kept:
        allocator.free(block)
    assert allocator.allocate(13 * MIB + 512 * KIB).size == 14 * MIB
    assert allocator.reserved == 42 * MIB


def test_free_neighbours_are_joined() -> None:
    allocator = CachingAllocator()
    first, second, third = (allocator.allocate(6 * MIB) for _ in range(3))
    for block in (first, third, second):
        allocator.free(block)
    assert allocator.allocate(20 * MIB - 512).size == 20 * MIB and allocator.reserved == 20 * MIB


def test_events_take_the_sizes_of_their_blocks_and_empty_tensors_take_none() -> None:
    events = [(0, 100), (1, 0), (2, 11 * MIB), (1, 0), (0, -100), (2, -11 * MIB)]
    blocks, reserved = in_blocks(events)
    assert blocks == [(0, 512), (1, 0), (2, 12 * MIB), (1, 0), (0, -512), (2, -12 * MIB)] and reserved == 14 * MIB


@given(st.lists(st.tuples(st.integers(1, 40 * MIB), st.integers(0, 5)), min_size=1, max_size=60))
def test_nothing_is_lost_or_given_twice(requests: list[tuple[int, int]]) -> None:
    allocator = CachingAllocator()
    live: list[MemoryBlock] = []
    for size, place in requests:
        live.append(allocator.allocate(size))
        assert live[-1].size >= size
        if place < len(live):
            allocator.free(live.pop(place))
        assert allocator.allocated == sum(block.size for block in live) <= allocator.reserved
    for block in live:
        allocator.free(block)
    assert allocator.allocated == 0
    free = [block for pool in allocator._free.values() for block in pool]
    assert sum(block.size for block in free) == allocator.reserved, "all of every segment is free again"
    assert all(block.before is None and block.after is None for block in free), "and joined"
