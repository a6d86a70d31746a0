"""What of msarch is of use in a study of Optuna that searches something else. ::

    from msarch.optuna import ParetoPruner

`ParetoPruner` stops hopeless trials where there are several objectives, which Optuna's own pruners cannot. It needs
neither torch nor Ray. See docs/optuna.md.
"""

from __future__ import annotations

from msarch.search_package import load_search

load_search()  # not a file search.py of the user's

from search.propose.plain_study import ParetoPruner  # noqa: E402  # the package must be found first

__all__ = ["ParetoPruner"]
