"""From the text of a judge's reply to scores: what models really write, and nothing else. `reading` says in which forms.

numbers    a number as a score, and what follows it that makes it none: a range, a hedge, a correction
objects    the JSON objects of a reply, and the scores in them
labels     scores behind, below or before the name of what they rate
doubts     other scores that a reply claims later on
reading    all of these together
"""

from editbench.score.replies.reading import Reading, read

__all__ = ["Reading", "read"]
