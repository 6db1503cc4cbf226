"""A number that is half of a range, hedged or taken back on the spot is no score, in whatever form it stands."""

from __future__ import annotations

import pytest

from editbench.records import UNPARSED
from editbench.score.criteria import Criterion
from editbench.score.replies import read

SCORE = (Criterion("score", 0, 10),)
FORMS = (
    "{}",
    "Score: {}",
    "**Score:** {}",
    "评分：{}",
    "### Score\n{}\n",
    '{{"score": "{}"}}',
    '{{"score": {}, "reason": "x"}}',
)

RANGES = [
    *(
        "7 to 8",
        "7 or 8",
        "7 and 8",
        "7 & 8",
        "7 vs 8",
        "7 through 8",
        "7 to eight",
        "7 and a half",
        "7 point 5",
        "between 7 and 8",
    ),
    *("7-8", "7 - 8", "7–8", "7‑8", "7~8", "7～8", "7〜8", "7/8", "7, 8", "7...8", "7 … 8", "7 -> 8", "7→8", "7 => 8"),
    *(
        "7±1",
        "7 +/- 1",
        "7 ½",
        "7½",
        "7·5",
        "7\u200b-8",
        "7 –\u20098",
        "7-\u0668",
        "7²",
        "7x1",
        "7th",
        "7%",
        "7 percent",
        "7/100",
    ),
    *("7+", "7?", ">7", "~7", "about 7", "7-ish", "7 or so", "7 or higher", "7 at best"),
    *("**7** or **8**", "7/10 or 8/10", "7/10 - 8/10", "7 points to 8 points"),
    *("7到8", "7-8分", "7～8分", "7或8", "7或者8分", "7分或8分", "7分到8分", "7至8", "7、8分", "7分左右", "约7分", "7分以上"),
]
TAKEN_BACK = [
    *(
        "10 - no, 3",
        "10, no, 3",
        "10 (no, 3)",
        "10. No, 3.",
        "10... wait, 3",
        "8, actually 7",
        "8 (actually a 7)",
    ),
    *(
        "8 — correction: 6",
        "8, sorry, 7",
        "8, I mean 7",
        "8, make that 7",
        "8, or rather 7",
        "8, well, 7",
        "8, no, more like 3",
    ),
    *(
        "7, maybe 8",
        "7 (maybe 8)",
        "7, perhaps 8.",
        "7 but could be 8",
        "7, leaning towards 8",
        "7, maybe seven",
        "8 or, strictly, 6",
    ),
    *("8 if the shadow counts", "8, unless the shadow counts"),
    *("7分，也许8分", "7，可能8", "8分，不对，应为6分", "8，改为6", "8，如果忽略影子"),
]


@pytest.mark.parametrize("number", [*RANGES, *TAKEN_BACK])
def test_no_number_is_read_out_of_a_range_or_a_correction(number: str) -> None:
    assert [form for form in FORMS if read(form.format(number), SCORE).status != UNPARSED] == []


@pytest.mark.parametrize("after", ["Score: 8", "{“score”: 8}", "评分：8分"])
def test_a_score_that_can_not_be_read_is_not_made_up_for_by_another(after: str) -> None:
    assert read(f"Score: 7 to 8\n{after}", SCORE).status == UNPARSED


@pytest.mark.parametrize(
    "text",
    [
        *("8 - the lamps are lit", "8 - no change elsewhere", "8, no artifacts in image 2.", "8. No artifacts.", "8, not 9"),
        *("8, but 2 lamps are dark", "8, but image 2 is dark.", "8 because the 3 cats are gone", "8 to reflect the shadow"),
        *(
            "8. Actually the 2 lamps are lit.",
            "8 and the shadow is right",
            "8\n3 cats remain.",
            "8 (was 6)",
            "8 (confidence: 9)",
        ),
        *("\u200b8", "**8**/**10**", "8 (out of 10)", "8分，不是9分", "8分，没有瑕疵", "8分。图中有3只猫。", "8<|im_end|>"),
    ],
)
def test_a_number_is_read_whatever_else_is_said_behind_it(text: str) -> None:
    assert read(f"Score: {text}", SCORE).criteria == {"score": 8}
