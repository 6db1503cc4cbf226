"""A small world whose truth is known: photographs with things on them, programmed edits in English and Chinese, and the score
that each edit deserves."""
