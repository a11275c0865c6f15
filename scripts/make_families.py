"""Write the bundled families that are perturbations of a plant of the literature.

    python scripts/make_families.py [--check]

The numbers of the files come from `src/benign/data/plants.json` and a fixed seed, and nowhere else;
with --check nothing is written, and the exit status is 1 if a file differs from what would be.
"""

from __future__ import annotations

import sys
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import numpy as np

from benign.tasks.plants import record, siblings

DATA = Path(__file__).parents[1] / "src" / "benign" / "data"

EPSILON, SEED = 0.01, 747

BOEING = """\
# Longitudinal motion of a Boeing 747 in level flight, sampled at 1 s, perturbed ten ways.
#
# States u, w, q, theta (speed along and across the body axis, pitch rate, pitch angle), inputs
# elevator and thrust, in the units of the source. Discrete time, dt = 1 s.
#
# From the source: A, B, Q = I, R = I, as in boeing-747.toml.
# From a second source: the rule of the perturbation. Each of A, B, Q and R becomes M + 0.6 e P/|P|,
# e = 0.01, P Gaussian (symmetrised for Q and R), |P| its largest singular value.
# Ours: the draw (ten of them, numbers rounded to 6 decimals), and which matrix the rule is applied to.
#
# Written by scripts/make_families.py.

benign = 1
title = "Boeing 747, longitudinal, perturbed ten ways"
source = "github:riiswa/linquax linquax/environments/boeing747.py @92d0d97; the rule of the perturbation: github:jd-anderson/MAML-LQR @8fd752f (Toso et al. 2024, arXiv 2401.14534); the ten draws are ours"
licence = "Apache-2.0 (this file); the matrices are facts printed by the source"
notes = "Four states, two inputs: eight parameters. At the optima the largest curvature of the cost is about 1400, hence the small eta."

[step]
eta = [1e-4, 5e-4]
step = "gradient"
shots = 1
"""  # noqa: E501

COLUMN = """\
# A binary distillation column with pressure variation: eleven states, three inputs.
#
# From the source: A and B in continuous time, Q = C1'C1, R = D12'D12 = I (the compositions at both
# ends and the pressure are dear). Time: as in the source, sampled every 1 (zero-order hold).
# Ours: the sampling time, a tenth of the fastest time constant; S0 = I; and the siblings, in which
# every non-zero entry of A and B is multiplied by 1 + 0.02 u, u uniform in [-1, 1], rounded to 6 digits.
#
# Written by scripts/make_families.py.

benign = 1
title = "Binary distillation column and two siblings"
source = "github:xiangyuan-zhang/controlgym controlgym/envs/linear_control_src/bdt1.mat @86f4d02 (MIT), COMPleib id bdt1; the siblings are ours"
licence = "Apache-2.0 (this file); the matrices are those of the source, MIT"
notes = "Thirty-three parameters. The slowest mode has a time constant of 8200 samples; the cost is flat in many directions."

[step]
eta = [1e-6, 1e-5]
step = "gradient"
shots = 1
"""  # noqa: E501


def main() -> int:
    """Write the files, or compare them."""
    wanted = {"boeing-747-ten.toml": boeing(), "distillation-column.toml": column()}
    stale = [
        name for name, text in wanted.items()
        if not (DATA / name).exists() or (DATA / name).read_text(encoding="utf-8") != text
    ]  # fmt: skip
    if "--check" in sys.argv[1:]:
        print(*(f"{name} is not what the script makes" for name in stale), sep="\n", end="")
        return 1 if stale else 0
    for name in stale:
        (DATA / name).write_text(wanted[name], encoding="utf-8", newline="\n")
        print(f"Written: {DATA / name}")
    return 0


def boeing() -> str:
    """Ten tasks, each with its own A, B, Q and R."""
    plant = record("boeing747_boyd")
    rng = np.random.default_rng(SEED)
    text = BOEING
    for i in range(1, 11):
        text += f'\n[[tasks]]\nname = "draw {i}"\n'
        for key in "ABQR":
            M = np.array(getattr(plant, key), dtype=float)
            P = rng.normal(size=M.shape)
            if key in "QR":
                P = (P + P.T) / 2
            text += rows(key, np.round(M + 0.6 * EPSILON * P / np.linalg.norm(P, 2), 6).tolist())
    return text


def column() -> str:
    """The column and its siblings."""
    plant = record("controlgym_bdt1")
    text = COLUMN + '\n[defaults]\ntime = "continuous"\ndt = 1\n'
    text += rows("Q", plant.Q) + rows("R", plant.R)
    for one, name in zip(
        [plant, *siblings(plant, 2)], ("as printed", "sibling 1", "sibling 2"), strict=True
    ):
        text += f'\n[[tasks]]\nname = "{name}"\n' + rows("A", one.A) + rows("B", one.B)
    return text


def rows(key: str, M) -> str:
    """A matrix in TOML, each entry the decimal it is."""
    lines = ("  [" + ", ".join(number(x) for x in row) + "]," for row in M)
    return "\n".join([f"{key} = [", *lines, "]"]) + "\n"


def number(x: float | Fraction) -> str:
    """Shortest decimal of a number that has one."""
    exact = Fraction(str(x)) if isinstance(x, float) else x
    decimal = (Decimal(exact.numerator) / Decimal(exact.denominator)).normalize()
    assert Fraction(decimal) == exact
    return f"{decimal:f}" if decimal == 0 or abs(decimal) >= Decimal("1e-4") else f"{decimal:e}"


if __name__ == "__main__":
    sys.exit(main())
