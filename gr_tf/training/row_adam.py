"""Dense Adam's result at the cost of the rows that a step touches.

A row that no step has touched since step t0 follows a known path: its running means only decay,
and every step moves it by its momentum. It catches up when it is next read. With mean m and
square v as they stood at t0, s = sqrt(v), x = s / (s + epsilon), d_j = 1 - beta2^(j/2), and
alpha_t the bias-corrected rate of step t (counted from 1), k steps later

    w - sum_{j=1..k} alpha_{t0+j} beta1^j m / (s beta2^(j/2) + epsilon)
      = w - m / (s + epsilon) * sum_p x^p C_p,      C_p = sum_{j=1..k} alpha_{t0+j} beta1^j d_j^p,

because 1 / (s beta2^(j/2) + epsilon) = 1 / (s + epsilon) * sum_p (x d_j)^p. beta1^j makes the terms
of large j vanish before d_j grows, so a few p suffice.

C_p is a binomial sum of T_i = sum_{j=1..k} alpha_{t0+j} rho_i^j with rho_i = beta1 beta2^(i/2), and
T_i = F_i(t0) - rho_i^k F_i(t0+k) with F_i(t) = sum_{j>=1} alpha_{t+j} rho_i^j, one table for a whole
training.
"""

import dataclasses
import math

import numpy as np

from gr_tf.errors import InputError
from gr_tf.runs.engine import tf
from gr_tf.training.optimizers import Adam
from gr_tf.types import Rows, Tensor

# Terms p that leave an error below the precision's rounding: beta1^j d_j^p at its largest.
_NUM_TERMS = {"float64": 8, "float32": 4}
# beta2^t is below float64's rounding from here on, and alpha_t follows the learning rate alone.
_BIAS_GONE = 40_000
# Counts up to here are exact in the dtype, which the rows keep their last touch in.
_MAX_STEPS = {"float32": 1 << 24, "float64": 1 << 53}


@dataclasses.dataclass(frozen=True)
class RowAdam:
    """Adam on single rows that know when they were last touched.

    Attributes:
        adam: the dense optimizer whose result this is.
        dtype: "float64" or "float32".
    """

    adam: Adam
    dtype: str

    @property
    def num_terms(self) -> int:
        """The number of powers p that are summed."""
        return _NUM_TERMS[self.dtype]

    def check_steps(self, num_steps: int) -> None:
        """
        Raises:
            InputError: if the steps are too many to be counted in the dtype.
        """
        if num_steps >= _MAX_STEPS[self.dtype]:
            raise InputError(f"{num_steps} steps are too many for {self.dtype} row Adam; use float64 or dense Adam.")

    def _log_rhos(self) -> np.ndarray:
        """log(rho_i), [num_terms]."""
        return math.log(self.adam.beta1) + np.arange(self.num_terms) / 2 * math.log(self.adam.beta2)

    def future(self, learning_rate: float, num_steps: int) -> np.ndarray:
        """F_i(t) for t = 0 .. min(num_steps, 40,000), [.., num_terms].

        Args:
            learning_rate: before decay.
            num_steps: steps of the whole training.
        """
        adam = self.adam
        last = min(num_steps, _BIAS_GONE)
        counts = np.arange(1, last + 1, dtype=np.float64)
        rates = (
            learning_rate
            * adam.decay_rate ** ((counts - 1) / adam.decay_steps)
            * np.sqrt(1 - adam.beta2**counts)
            / (1 - adam.beta1**counts)
        )
        rhos = np.exp(self._log_rhos())
        future = np.empty((last + 1, self.num_terms))
        # Past the table the rate is learning_rate * decay^t: a geometric series.
        decayed = rhos * adam.decay_rate ** (1 / adam.decay_steps)
        future[last] = learning_rate * adam.decay_rate ** ((last - 1) / adam.decay_steps) * decayed / (1 - decayed)
        for t in range(last - 1, -1, -1):
            future[t] = rhos * (rates[t] + future[t + 1])
        return future.astype(self.dtype)

    def catch_up(
        self, rows: Rows, mean: Rows, square: Rows, touched: Tensor, step: Tensor, future: Tensor
    ) -> tuple[Rows, Rows, Rows]:
        """What steps touched+1 .. step of dense Adam do to rows that have no gradient in them.

        Args:
            rows, mean, square: [n, width], as after step `touched`.
            touched: [n], in the dtype.
            step: scalar, steps done by now, in the dtype.
            future: from `future`.

        Returns:
            rows, mean, square as after step `step`.
        """
        steps = step - touched
        log_rhos = self._log_rhos()
        then, now = self._future_at(future, touched), self._future_at(future, step[None])
        sums = [then[:, i] - tf.exp(steps * log_rhos[i]) * now[:, i] for i in range(self.num_terms)]
        root = tf.sqrt(square)
        inverse = 1 / (root + self.adam.epsilon)
        x = root * inverse
        series = tf.zeros_like(x)
        for p in reversed(range(self.num_terms)):
            coefficient = sum((-1) ** i * math.comb(p, i) * sums[i] for i in range(p + 1))
            series = series * x + coefficient[:, None]
        rows -= mean * inverse * series
        mean *= tf.exp(steps * math.log(self.adam.beta1))[:, None]
        square *= tf.exp(steps * math.log(self.adam.beta2))[:, None]
        return rows, mean, square

    def _future_at(self, future: Tensor, steps: Tensor) -> Tensor:
        """F_i at steps [n] -> [n, num_terms]."""
        last = tf.cast(tf.shape(future)[0] - 1, steps.dtype)
        within = tf.minimum(steps, last)
        values = tf.gather(future, tf.cast(within, tf.int32))
        if self.adam.decay_rate != 1:
            values *= tf.exp((steps - within) * (math.log(self.adam.decay_rate) / self.adam.decay_steps))[:, None]
        return values


def split_memory(memory: Rows, width: int) -> tuple[Rows, Rows, Rows, Tensor]:
    """Weight, mean, square [n, width] and last touch [n] of rows of a memory [n, 3 * width + 1]."""
    return memory[:, :width], memory[:, width : 2 * width], memory[:, 2 * width : 3 * width], memory[:, 3 * width]
