"""The learning rate of each step: a linear warm-up, then half a cosine down to zero."""

import math

SMALL_RATE, PUBLISHED_RATE = 2e-3, 1.5e-4  # for a batch of 256: a few thousand steps of a small model need more


def learning_rate(step: int, steps: int, peak: float, warm_up: float) -> float:
    """The rate of a step, counted from 0.

    >>> [round(learning_rate(step, 4, 1.0, 0.25), 3) for step in range(4)]
    [1.0, 1.0, 0.75, 0.25]
    """
    rising = round(steps * warm_up)
    if step < rising:
        return peak * (step + 1) / rising
    return peak * 0.5 * (1 + math.cos(math.pi * (step - rising) / max(steps - rising, 1)))
