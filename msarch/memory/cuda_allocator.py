"""What CUDA's caching allocator in torch makes of a sequence of allocations, replayed without a GPU.

`torch.cuda.max_memory_allocated` adds up blocks, not tensors. A block is at least as large as its tensor: sizes are
rounded up to 512 bytes, and the rest of a large free block is cut off only where it is worth keeping. The rules are
those of torch's own source, ``c10/cuda/CUDACachingAllocator.cpp`` (round_size, get_pool, get_allocation_size,
get_free_block, should_split, free_block), for one stream and the allocator's default settings.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable
from dataclasses import dataclass, field

ROUND = 512
"""Sizes are multiples of this (kMinBlockSize)."""
SMALL = 2**20
"""The largest size that comes from the pool of small blocks (kSmallSize)."""
SMALL_SEGMENT, LARGE_SEGMENT = 2 * 2**20, 20 * 2**20
"""What is asked of the driver for small sizes, and for large ones below `HUGE` (kSmallBuffer, kLargeBuffer)."""
HUGE, HUGE_ROUND = 10 * 2**20, 2 * 2**20
"""From this size on a segment is made for one tensor, in multiples of the second (kMinLargeAlloc, kRoundLarge)."""


@dataclass(slots=True, order=True)
class Block:
    """A piece of a segment. Free ones are kept in this order: by size, then by address."""

    size: int
    address: int
    small: bool = field(compare=False)
    free: bool = field(default=False, compare=False)
    before: Block | None = field(default=None, compare=False, repr=False)
    after: Block | None = field(default=None, compare=False, repr=False)


class CachingAllocator:
    """The allocator's state.

    Attributes:
        allocated: bytes of blocks in use, the figure of `torch.cuda.memory_allocated`.
        reserved: bytes of segments, the figure of `torch.cuda.memory_reserved`, on which a cap acts.
    """

    def __init__(self) -> None:
        self.allocated = 0
        self.reserved = 0
        self._free: dict[bool, list[Block]] = {True: [], False: []}

    def allocate(self, size: int) -> Block:
        """A block of at least `size` bytes, which is above 0."""
        size = -(-size // ROUND) * ROUND
        small = size <= SMALL
        block = self._best_fit(size, small) or self._segment(size, small)
        rest = block.size - size
        if rest >= ROUND if small else rest > SMALL:
            self._split(block, size)
        block.free = False
        self.allocated += block.size
        return block

    def free(self, block: Block) -> None:
        """Take a block back, joined with free neighbours."""
        self.allocated -= block.size
        for neighbour in (block.before, block.after):
            if neighbour is not None and neighbour.free:
                self._free[block.small].remove(neighbour)
                self._join(block, neighbour)
        block.free = True
        insort(self._free[block.small], block)

    def _best_fit(self, size: int, small: bool) -> Block | None:
        free = self._free[small]
        place = bisect_left(free, size, key=lambda block: block.size)
        return free.pop(place) if place < len(free) else None

    def _segment(self, size: int, small: bool) -> Block:
        wanted = -(-size // HUGE_ROUND) * HUGE_ROUND if size >= HUGE else LARGE_SEGMENT
        wanted = SMALL_SEGMENT if small else wanted
        block = Block(wanted, self.reserved, small)
        self.reserved += wanted
        return block

    def _split(self, block: Block, size: int) -> None:
        rest = Block(block.size - size, block.address + size, block.small, free=True, before=block, after=block.after)
        if block.after is not None:
            block.after.before = rest
        block.size, block.after = size, rest
        insort(self._free[block.small], rest)

    @staticmethod
    def _join(block: Block, neighbour: Block) -> None:
        block.size += neighbour.size
        if neighbour is block.before:
            block.address, block.before = neighbour.address, neighbour.before
            if block.before is not None:
                block.before.after = block
        else:
            block.after = neighbour.after
            if block.after is not None:
                block.after.before = block


def as_blocks(events: Iterable[tuple[int, int]]) -> tuple[list[tuple[int, int]], int]:
    """Events (storage, bytes) with the sizes of the blocks in place of the storages'; and the bytes reserved in all.

    Bytes are positive where a storage appears and negative where it goes. An empty storage needs no block.
    """
    allocator = CachingAllocator()
    held: dict[int, Block] = {}
    blocks = []
    for number, size in events:
        if size > 0:
            held[number] = allocator.allocate(size)
            blocks.append((number, held[number].size))
        elif number in held:
            block = held.pop(number)
            blocks.append((number, -block.size))
            allocator.free(block)
        else:
            blocks.append((number, 0))
    return blocks, allocator.reserved
