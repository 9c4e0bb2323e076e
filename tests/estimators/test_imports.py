"""scikit-learn is imported by the estimators only."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def output(program: str) -> str:
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=env, timeout=60)
    return done.stdout + done.stderr


def test_mcalc_does_not_import_scikit_learn() -> None:
    found = output("import mcalc, sys; mcalc.generate('mlp').module; print('sklearn' in sys.modules)")
    assert found.strip() == "False"


def test_without_scikit_learn_the_error_says_how_to_install_it() -> None:
    found = output("import sys; sys.modules['sklearn'] = None; import mcalc.estimators")
    assert found.strip().endswith("ImportError: mcalc.estimators needs scikit-learn: pip install 'mcalc[sklearn]'")
