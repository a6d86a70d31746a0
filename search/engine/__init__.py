"""Running a search: from an opened ledger to finished trials, through Ray."""
