"""A search replayed on trained models: what a strategy would have found, and what it would have spent.

1. `table` reads the trained models of a results folder.
2. `proposer` and `table_sampler` let a sampler propose models of the table, and no others; `places` and `drafts` match
   what it draws to them.
3. `executor` is where Ray is in a search: it "trains" a model by reading its next rung from the table.
4. `tally` counts what is trained, and the hypervolume that it gives.
5. `replay` puts a real coordinator, pruner and judge between them.
6. `summary` takes medians over seeds.
"""
