"""Rubrics: what the judge is told, and how its answers become a score and the samples' scores a headline number.

A rubric is one TOML file. `load` checks all of it and raises UserError naming file, key and fault. Its keys:

    extends = NAME | FILE               all keys that are not given here are those of another rubric; optional
    name, version, languages = [...], scale = [lowest, highest] of a sample's score
    any_category = true                 categories that are not listed are taken too; their guidance is that of `other`
    resize_edited = true                the edited picture is shown at the source's size
    extras = [...]                      fields of a sample's `extra` for formulas and subsets: true only when really set
    score = FORMULA                     of criteria and steps (see `formula`); and of the sample: its categories and extras as
                                        flags, `category`, `reference_text`; `all`, `first` ... `fifth`: its criteria in order
    [steps]           NAME = FORMULA    numbers on the way to the score
    partial = "drop" | "keep"           a sample of which a criterion can't be read: no score; or one from those that can, where
                                        the formula can do without any, as mean(all) can; the row is flagged `partial`
    differs = [...]                     in which this differs on purpose from the official scripts, in sentences; optional
    [categories]      NAME = [other spellings]
    [criteria.NAME]   range = [lowest, highest], labels = [other names in a reply], text.LANGUAGE for {criteria}
    [questions.NAME]  images = [source, edited, reference], criteria = [...] or by category, text.LANGUAGE with {instruction}
                      {category} {guidance} {criteria} {reference_text} {reference}; optional: categories = [...] and
                      when = FORMULA of flags and `reference_image` (who is asked), answers = [lowest, highest] (mapped to the
                      criteria's range), guidance.LANGUAGE.CATEGORY, form.LANGUAGE
    [form.LANGUAGE]   generate (with {answers}), expected (with {criterion} {lowest} {highest}): how to answer
    [guidance.LANGUAGE]  NAME = text for every category
    [reference]       LANGUAGE = what {reference} stands for when a sample has a reference text; optional
    [answer_prefix]   generate, expected: what the judge's answer is started with, to the letter
    [headline]        see `headline_table`

A text may also be { file = "sc.txt", placeholders = { "<instruction>" = "instruction" } }: another file's, in which the tokens
named here stand for placeholders and braces are only text.

>>> asks = load("viescore").asks(sample, language=None, readout="generate")
"""

from editbench.score.rubric.file import load, parse, template
from editbench.score.rubric.rubric import Rubric
from editbench.score.rubric.sources import names

__all__ = ["Rubric", "load", "names", "parse", "template"]
