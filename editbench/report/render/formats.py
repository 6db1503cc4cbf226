"""Numbers as the report's texts show them: two decimals, `-` for what can't be computed."""

from __future__ import annotations

from editbench.report.statistics.clustered import Estimate, Interval

LEAST_P = 0.001
AGREEMENT = {
    "spearman": "Spearman",
    "kendall_tau_b": "Kendall's tau-b",
    "krippendorff_alpha": "Krippendorff's alpha, interval",
    "krippendorff_alpha_ordinal": "Krippendorff's alpha, ordinal",
    "pairwise_accuracy": "Pairwise accuracy",
}
"""What people call the statistics of agreement."""


def number(value: float | None) -> str:
    """Such as `7.12`."""
    # Adding 0.0 makes -0.0 a plain zero.
    return "-" if value is None else f"{round(value, 2) + 0.0:.2f}"


def signed(value: float | None) -> str:
    """A number with its sign, unless it rounds to 0."""
    return "-" if value is None else f"{value:+.2f}" if abs(value) >= 0.005 else "0.00"


def span(interval: Interval | None, joint: str = " to ") -> str:
    """Such as `6.80 to 7.44`."""
    return "-" if interval is None else joint.join(map(number, interval))


def estimate(value: Estimate, joint: str = " to ") -> str:
    """Such as `7.12 (6.80 to 7.44)`."""
    return number(value.value) + (f" ({span(value.interval, joint)})" if value.interval else "")


def share(value: float | None) -> str:
    """A share of 0..1 as a percentage, such as `99.9%`; never rounded up to 100%."""
    if value is None:
        return "-"
    return f"{value:.0%}" if value in (0, 1) else f"{min(value, 0.999):.1%}"


def p_value(value: float | None) -> str:
    """Such as `0.012`, or `< 0.001`."""
    if value is None:
        return "-"
    return f"< {LEAST_P}" if value < LEAST_P else f"{value:.3f}"


def ranks(best_and_worst: tuple[int, int] | None) -> str:
    """The ranks that a run could take, such as `1 to 3`."""
    if best_and_worst is None:
        return "-"
    best, worst = best_and_worst
    return str(best) if best == worst else f"{best} to {worst}"
