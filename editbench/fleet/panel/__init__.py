"""Progress for people: `live` in a terminal, `plain` lines elsewhere, `watch` from another terminal, a `summary` at the end.

`snapshot` gathers what the status files say; `screen`, with `ranks` and `scores`, lays it out; `text` fits it to its cells.
"""
