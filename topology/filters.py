"""Filters for RocksDB stores of state: the answer that a key is absent, without reading for it.

Identity looks up a key for every event, and nearly always it is not there. Both runtimes' stores use them.
"""

from __future__ import annotations

from typing import Final

from rocksdict import BlockBasedOptions, Options

MEMTABLE_SHARE: Final = 0.05
"""Part of a write buffer that its filter takes."""
BITS_PER_KEY: Final = 10
"""About 1 % false positives (RocksDB's own recommendation)."""


def with_filters(options: Options) -> Options:
    """The same options, with filters over memtables and tables."""
    options.set_memtable_whole_key_filtering(True)  # positional in the binding
    options.set_memtable_prefix_bloom_ratio(MEMTABLE_SHARE)
    blocks = BlockBasedOptions()
    blocks.set_bloom_filter(BITS_PER_KEY, block_based=False)
    options.set_block_based_table_factory(blocks)
    return options
