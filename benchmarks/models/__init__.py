"""Generated models against hand-written NumPy, a floor of BLAS calls, and automatic differentiation.

`python -m benchmarks.models --help`; `python -m benchmarks.models.growth` for how things grow. The files:

| file | holds |
| --- | --- |
| `workloads/*.mc` | the models, as a user would write them |
| `sizes.py` | the workloads: model, dimensions, labels; and their random data |
| `numpy_*.py` | `naive` and `tuned` plain NumPy and SciPy for every workload |
| `floors.py` | the irreducible BLAS, LAPACK and transcendental calls of each |
| `losses.py`, `frameworks.py` | the losses for automatic differentiation, and the frameworks |
| `tensor_networks.py` | the losses for tensorgrad, by tensors with named edges |
| `tape.py` | the minimal NumPy tape of an article |
| `generated.py` | the only file that knows mcalc's interface |
| `peers.py` | the table of implementations |
| `worker.py`, `runner.py`, `report.py`, `growth.py` | one process per implementation; turns; tables and plot; growth |

An implementation is made from dimensions and dtype alone and sees the data at each call, so that nothing that
depends on values can be prepared.

`--python PEER=PATH` gives a peer an interpreter of its own. tensorgrad 0.3 needs one: it does not run on torch 2.13.

    python3 -m venv other && other/bin/pip install numpy scipy tensorgrad torch==2.6.0
    python -m benchmarks.models --python tensorgrad=other/bin/python --python tensorgrad_tc=other/bin/python
"""
