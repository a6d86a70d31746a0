"""Torch's caching allocator for CUDA, replayed without a GPU on a sequence of allocations and frees.

`torch.cuda.max_memory_allocated` adds up the allocator's blocks, not tensors. A block is at least as large as its
tensor: sizes are rounded up to 512 bytes, and a large free block is split only if enough would be left over.
The rules follow torch's source, ``c10/cuda/CUDACachingAllocator.cpp``, for one stream and default settings; comments
give the names that it uses.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable
from dataclasses import dataclass, field

ROUND = 512
"""Sizes are rounded up to multiples of this (kMinBlockSize)."""
SMALL = 2**20
"""The largest size that comes from the pool of small blocks (kSmallSize)."""
SMALL_SEGMENT, LARGE_SEGMENT = 2 * 2**20, 20 * 2**20
"""Segments requested from the driver for small sizes, and for large ones below `HUGE` (kSmallBuffer, kLargeBuffer)."""
HUGE, HUGE_ROUND = 10 * 2**20, 2 * 2**20
"""From `HUGE` on each tensor gets a segment of its own, rounded up to `HUGE_ROUND` (kMinLargeAlloc, kRoundLarge)."""


@dataclass(slots=True, order=True)
class MemoryBlock:
    """A part of a segment, in use or free. Free blocks are sorted by size, then by address."""

    size: int
    address: int  # made up, only to order blocks of the same size
    small: bool = field(compare=False)
    free: bool = field(default=False, compare=False)
    # Neighbours in the same segment, free or not.
    before: MemoryBlock | None = field(default=None, compare=False, repr=False)
    after: MemoryBlock | None = field(default=None, compare=False, repr=False)


class CachingAllocator:
    """The allocator's state.

    Attributes:
        allocated: bytes of blocks in use, the figure of `torch.cuda.memory_allocated`.
        reserved: bytes of segments, the figure of `torch.cuda.memory_reserved`, which a memory cap limits.
    """

    def __init__(self) -> None:
        self.allocated = 0
        self.reserved = 0
        self._free: dict[bool, list[MemoryBlock]] = {True: [], False: []}  # the pools of small and of large blocks

    def allocate(self, size: int) -> MemoryBlock:
        """A block of at least `size` bytes, which is above 0."""
        size = -(-size // ROUND) * ROUND  # round_size
        small = size <= SMALL  # get_pool: the two pools share no blocks
        block = self._best_fit(size, small) or self._new_segment(size, small)
        rest = block.size - size
        # should_split: in the large pool a rest of up to 1 MiB stays with the block, and counts as allocated.
        if rest >= ROUND if small else rest > SMALL:
            self._split(block, size)
        block.free = False
        self.allocated += block.size
        return block

    def free(self, block: MemoryBlock) -> None:
        """Take a block back and merge it with free neighbours (free_block); the segment stays reserved."""
        self.allocated -= block.size
        for neighbour in (block.before, block.after):
            if neighbour is not None and neighbour.free:
                self._free[block.small].remove(neighbour)
                self._join(block, neighbour)
        block.free = True
        insort(self._free[block.small], block)

    def _best_fit(self, size: int, small: bool) -> MemoryBlock | None:
        """The smallest free block that is large enough (get_free_block), taken out of its pool."""
        pool = self._free[small]
        index = bisect_left(pool, size, key=lambda block: block.size)
        return pool.pop(index) if index < len(pool) else None

    def _new_segment(self, size: int, small: bool) -> MemoryBlock:
        """One block of the size that is requested from the driver (get_allocation_size)."""
        if small:
            segment = SMALL_SEGMENT
        elif size < HUGE:
            segment = LARGE_SEGMENT
        else:
            segment = -(-size // HUGE_ROUND) * HUGE_ROUND
        block = MemoryBlock(segment, self.reserved, small)
        self.reserved += segment
        return block

    def _split(self, block: MemoryBlock, size: int) -> None:
        """Cut a block down to `size`; the rest becomes a free block between it and its neighbour."""
        rest = MemoryBlock(
            block.size - size, block.address + size, block.small, free=True, before=block, after=block.after
        )
        if block.after is not None:
            block.after.before = rest
        block.size, block.after = size, rest
        insort(self._free[block.small], rest)

    @staticmethod
    def _join(block: MemoryBlock, neighbour: MemoryBlock) -> None:
        """Merge a free neighbour, already taken out of its pool, into the block."""
        block.size += neighbour.size
        if neighbour is block.before:
            block.address, block.before = neighbour.address, neighbour.before
            if block.before is not None:
                block.before.after = block
        else:
            block.after = neighbour.after
            if block.after is not None:
                block.after.before = block


def in_blocks(events: Iterable[tuple[int, int]]) -> tuple[list[tuple[int, int]], int]:
    """Events (storage, bytes) with the sizes of blocks in place of the storages' own; and the bytes reserved in all.

    Bytes are positive where a storage appears and negative where it goes. An empty storage needs no block.
    """
    allocator = CachingAllocator()
    held: dict[int, MemoryBlock] = {}
    replayed = []
    for number, size in events:
        if size > 0:
            held[number] = allocator.allocate(size)
            replayed.append((number, held[number].size))
        elif number in held:
            block = held.pop(number)
            replayed.append((number, -block.size))
            allocator.free(block)
        else:  # an empty storage: its event stays, because operations refer to events by index
            replayed.append((number, 0))
    return replayed, allocator.reserved
