"""Recurrent networks in the fastest plain NumPy that we could write.

Products with the inputs, and all gradients of weights, are taken over all steps at once; a step has the products with
the state alone and its elementwise passes, on views made before.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from benchmarks.models.sizes import Dims
from benchmarks.models.tuned_networks import Run, transposer

Array = Any


def rnn_tanh(dims: Dims, dtype: str, relu: bool = False) -> Run:
    T, n, d, m, k = (dims[name] for name in "Tndmk")
    H, A, R = np.empty((T + 1, n, m), dtype), np.empty((T, n, m), dtype), np.empty((T, n, k), dtype)
    carry, slope = np.empty((n, m), dtype), np.empty((T, n, m), bool if relu else dtype)
    after, before, D, P = (x.reshape(T * n, -1) for x in (H[1:], H[:-1], A, R))
    steps = list(zip(list(H[:-1]), list(H[1:]), list(A), list(slope), strict=True))
    backwards, turn = steps[::-1], transposer(n, m, m, dtype)
    dU, dW, dV = np.empty((d, m), dtype), np.empty((m, m), dtype), np.empty((m, k), dtype)

    def run(x: Array, y: Array, h0: Array, U: Array, W: Array, V: Array) -> Any:
        X, WT = x.reshape(T * n, d), turn(W)
        np.dot(X, U, after)
        H[0] = h0
        for last, h, a, _ in steps:
            np.dot(last, W, a)
            np.add(h, a, h)
            if relu:
                np.maximum(h, 0, out=h)
            else:
                np.tanh(h, h)
        np.dot(after, V, P)
        np.subtract(R, y, R)
        loss = np.vdot(R, R)
        np.multiply(R, 2, R)
        np.dot(P, V.T, D)
        if relu:
            np.greater(H[1:], 0, slope)
        else:
            np.multiply(H[1:], H[1:], slope)
            np.subtract(1, slope, slope)
        a, s = backwards[0][2:]
        np.multiply(a, s, a)
        for later, (_, _, now, s) in pairwise(backwards):
            np.dot(later[2], WT, carry)
            np.add(now, carry, now)
            np.multiply(now, s, now)
        np.dot(X.T, D, dU)
        np.dot(before.T, D, dW)
        np.dot(after.T, P, dV)
        return loss, (dU, dW, dV)

    return run


def rnn_relu(dims: Dims, dtype: str) -> Run:
    return rnn_tanh(dims, dtype, relu=True)


def error_at_end(n: int, m: int, k: int, dtype: str) -> Any:
    """h, y, V to the mean squared error of h V, and in buffers its gradients by V and h."""
    R, dV, dh = np.empty((n, k), dtype), np.empty((m, k), dtype), np.empty((n, m), dtype)

    def run(h: Array, y: Array, V: Array) -> tuple[Any, Array, Array]:
        np.dot(h, V, R)
        np.subtract(R, y, R)
        loss = np.vdot(R, R) / n
        np.multiply(R, 2 / n, R)
        np.dot(h.T, R, dV)
        np.dot(R, V.T, dh)
        return loss, dV, dh

    return run


def lstm(dims: Dims, dtype: str) -> Run:
    """The gates i, f, o, g stand in one array; sigmoid(a) is (1 + tanh(a / 2)) / 2, the halves in the weights."""
    T, n, d, m, k = (dims[name] for name in "Tndmk")
    A, D = np.empty((4, T, n, m), dtype), np.empty((4, T, n, m), dtype)
    H, C, tanhs = np.zeros((T + 1, n, m), dtype), np.zeros((T + 1, n, m), dtype), np.empty((T, n, m), dtype)
    Uh, UT, Wh = np.empty((4, m, m), dtype), [transposer(n, m, m, dtype) for _ in range(4)], np.empty((d, m), dtype)
    work, one, dc = np.empty((4, n, m), dtype), np.empty((n, m), dtype), np.empty((n, m), dtype)
    bh, loss_of, ones = np.empty((1, m), dtype), error_at_end(n, m, k, dtype), np.ones(T * n, dtype)
    gates, flat = [x.reshape(T * n, m) for x in A], [x.reshape(T * n, m) for x in D]
    shapes = ((d, m), (m, m), (1, m))
    grads = [np.empty(shape, dtype) for _ in range(4) for shape in shapes]
    before, works = H[:-1].reshape(T * n, m), list(work)
    steps = [(A[:, t], A[:3, t], D[:, t], D[:3, t], H[t], H[t + 1], C[t], C[t + 1], tanhs[t]) for t in range(T)]
    steps = [(*s, list(s[0]), list(s[2])) for s in steps]

    def run(x: Array, y: Array, *weights: Array) -> Any:
        X, V = x.reshape(T * n, d), weights[12]
        for j in range(4):
            W, U, b = weights[3 * j : 3 * j + 3]
            if j < 3:
                W, U, b = np.multiply(W, 0.5, Wh), np.multiply(U, 0.5, Uh[j]), np.multiply(b, 0.5, bh)
            else:
                np.copyto(Uh[3], U)
            np.dot(X, W, gates[j])
            np.add(gates[j], b, gates[j])
        U0, U1, U2, U3 = Uh
        for block, sig, _, _, last, h, c0, c, tc, (i, f, o, g), _ in steps:
            np.dot(last, U0, works[0])
            np.dot(last, U1, works[1])
            np.dot(last, U2, works[2])
            np.dot(last, U3, works[3])
            np.add(block, work, block)
            np.tanh(block, block)
            np.multiply(sig, 0.5, sig)
            np.add(sig, 0.5, sig)
            np.multiply(f, c0, c)
            np.multiply(i, g, one)
            np.add(c, one, c)
            np.tanh(c, tc)
            np.multiply(o, tc, h)
        loss, dV, dh = loss_of(H[-1], y, V)
        turned = [turn(weights[3 * j + 1]) for j, turn in enumerate(UT)]
        dc.fill(0)
        for t in range(T - 1, -1, -1):
            _, sig, block, dsig, _, _, c0, _, tc, (i, f, o, g), (di, df, do, dg) = steps[t]
            np.multiply(dh, tc, do)
            np.multiply(dh, o, dh)
            np.multiply(tc, tc, tc)
            np.subtract(1, tc, tc)
            np.multiply(dh, tc, dh)
            np.add(dc, dh, dc)
            np.multiply(dc, g, di)
            np.multiply(dc, c0, df)
            np.multiply(g, g, one)
            np.subtract(1, one, one)
            np.multiply(one, i, one)
            np.multiply(dc, one, dg)
            np.multiply(dc, f, dc)
            np.multiply(dsig, sig, dsig)
            np.subtract(1, sig, sig)
            np.multiply(dsig, sig, dsig)
            if t:
                np.dot(di, turned[0], dh)
                for j, part in ((1, df), (2, do), (3, dg)):
                    np.dot(part, turned[j], one)
                    np.add(dh, one, dh)
        for j in range(4):
            np.dot(X.T, flat[j], grads[3 * j])
            np.dot(before.T, flat[j], grads[3 * j + 1])
            np.dot(ones, flat[j], grads[3 * j + 2].reshape(-1))
        return loss, (*grads, dV)

    return run


def gru(dims: Dims, dtype: str) -> Run:
    T, n, d, m, k = (dims[name] for name in "Tndmk")
    A, D = np.empty((3, T, n, m), dtype), np.empty((3, T, n, m), dtype)
    H, RH = np.zeros((T + 1, n, m), dtype), np.empty((T, n, m), dtype)
    Uh, Wh, bh = np.empty((2, m, m), dtype), np.empty((d, m), dtype), np.empty((1, m), dtype)
    turns = [transposer(n, m, m, dtype) for _ in range(3)]
    work, one, carry, dh = np.empty((2, n, m), dtype), *(np.empty((n, m), dtype) for _ in range(3))
    loss_of, ones, works = error_at_end(n, m, k, dtype), np.ones(T * n, dtype), list(work)
    gates, flat = [x.reshape(T * n, m) for x in A], [x.reshape(T * n, m) for x in D]
    before, rbefore = H[:-1].reshape(T * n, m), RH.reshape(T * n, m)
    grads = [np.empty(shape, dtype) for _ in range(3) for shape in ((d, m), (m, m), (1, m))]
    steps = [(A[:2, t], *A[:, t], D[:2, t], *D[:, t], H[t], H[t + 1], RH[t]) for t in range(T)]

    def run(x: Array, y: Array, *weights: Array) -> Any:
        X, V, Ug = x.reshape(T * n, d), weights[9], weights[7]
        for j in range(3):
            W, U, b = weights[3 * j : 3 * j + 3]
            if j < 2:
                W, b = np.multiply(W, 0.5, Wh), np.multiply(b, 0.5, bh)
                np.multiply(U, 0.5, Uh[j])
            np.dot(X, W, gates[j])
            np.add(gates[j], b, gates[j])
        Uz, Ur = Uh
        for sig, z, r, g, _, _, _, _, last, h, rh in steps:
            np.dot(last, Uz, works[0])
            np.dot(last, Ur, works[1])
            np.add(sig, work, sig)
            np.tanh(sig, sig)
            np.multiply(sig, 0.5, sig)
            np.add(sig, 0.5, sig)
            np.multiply(r, last, rh)
            np.dot(rh, Ug, one)
            np.add(g, one, g)
            np.tanh(g, g)
            np.subtract(g, last, h)
            np.multiply(z, h, h)
            np.add(h, last, h)
        loss, dV, end = loss_of(H[-1], y, V)
        np.copyto(dh, end)
        UzT, UrT, UgT = (turn(weights[3 * j + 1]) for j, turn in enumerate(turns))
        for t in range(T - 1, -1, -1):
            sig, z, r, g, dsig, dz, dr, dg, last, _, _ = steps[t]
            np.subtract(g, last, dz)
            np.multiply(dz, dh, dz)
            np.multiply(g, g, one)
            np.subtract(1, one, one)
            np.multiply(one, z, one)
            np.multiply(dh, one, dg)
            np.dot(dg, UgT, one)
            np.multiply(one, last, dr)
            np.multiply(one, r, one)
            np.multiply(z, dh, carry)
            np.subtract(dh, carry, dh)
            np.add(dh, one, dh)
            np.multiply(dsig, sig, dsig)
            np.subtract(1, sig, sig)
            np.multiply(dsig, sig, dsig)
            if t:
                np.dot(dz, UzT, carry)
                np.add(dh, carry, dh)
                np.dot(dr, UrT, carry)
                np.add(dh, carry, dh)
        for j, state in enumerate((before, before, rbefore)):
            np.dot(X.T, flat[j], grads[3 * j])
            np.dot(state.T, flat[j], grads[3 * j + 1])
            np.dot(ones, flat[j], grads[3 * j + 2].reshape(-1))
        return loss, (*grads, dV)

    return run
