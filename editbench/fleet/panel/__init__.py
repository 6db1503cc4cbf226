"""Progress for people: `live` in a terminal, `plain` lines elsewhere, `watch` from another terminal, a `summary` at the end.

`snapshot` gathers what the status files say; `screen`, `columns` and `scores` lay it out; `lines` and `words` fit it.
"""
