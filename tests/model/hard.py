"""Models with reads at other offsets, in other loops, at fixed indices: the text of each."""

HARD: dict[str, str] = {
    "decoder": """
        input x[1..T] : n x d
        input y[1..T] : n x k
        param U : d x m
        param W : m x m
        param C : m x m
        param V : m x k
        h[0] = zeros(n, m)
        for t in 1..T:
            h[t] = tanh(x[t] U + h[t-1] W)
        s[0] = h[T]
        for t in 1..T:
            s[t] = tanh(s[t-1] W + h[T] C)
            p[t] = s[t] V
        loss = sum(t in 1..T, tr((y[t] - p[t])^T (y[t] - p[t])))
    """,
    "next input": """
        input x[1..T] : n x d
        param U : d x m
        param A : m x m
        for t in 1..T:
            h[t] = tanh(x[t] U)
        for t in 1..T-1:
            q[t] = tanh(h[t+1] A)
        loss = sum(t in 1..T, sum(h[t])) + sum(t in 1..T-1, norm(q[t])^2)
    """,
    "from two": """
        input x[1..T] : n x d
        param U : d x m
        param W : m x m
        h[1] = tanh(x[1] U)
        for t in 2..T:
            h[t] = tanh(x[t] U + h[t-1] W)
        loss = norm(h[T])^2
    """,
    "from two, every step": """
        input x[1..T] : n x d
        param U : d x m
        param W : m x m
        h[1] = tanh(x[1] U)
        for t in 2..T:
            h[t] = tanh(x[t] U + h[t-1] W)
        loss = norm(h[T])^2 + sum(t in 1..T, norm(h[t])^2)
    """,
    "from two, later steps": """
        input x[1..T] : n x d
        param U : d x m
        param W : m x m
        h[1] = tanh(x[1] U)
        for t in 2..T:
            h[t] = tanh(x[t] U + h[t-1] W)
        loss = norm(h[1])^2 + sum(t in 2..T, norm(h[t] - h[t-1])^2)
    """,
    "both directions": """
        input x[1..T] : n x d
        input y[1..T] : n x k
        param U : d x m
        param W : m x m
        param B : m x m
        param V : m x k
        h[0] = zeros(n, m)
        g[T+1] = zeros(n, m)
        for t in 1..T:
            h[t] = tanh(x[t] U + h[t-1] W)
        for t in T..1:
            g[t] = sigmoid(x[t] U + g[t+1] B)
        for t in 1..T:
            p[t] = (h[t] .* g[t]) V
        loss = sum(t in 1..T, norm(y[t] - p[t])^2)
    """,
    "backwards": """
        input x[1..T] : n x d
        input g0 : n x m
        param U : d x m
        param B : m x m
        g[T+1] = g0 B
        for t in T..1:
            g[t] = tanh(x[t] U + g[t+1] B)
        loss = norm(g[1])^2 + sum(g[T])
    """,
    "GRU": """
        input x[1..T] : n x d
        input y : n x m
        param h0 : n x m
        param Wr : d x m
        param Ur : m x m
        param Wz : d x m
        param Uz : m x m
        param Wg : d x m
        param Ug : m x m
        h[0] = h0
        for t in 1..T:
            r[t] = sigmoid(x[t] Wr + h[t-1] Ur)
            u[t] = sigmoid(x[t] Wz + h[t-1] Uz)
            g[t] = tanh(x[t] Wg + (r[t] .* h[t-1]) Ug)
            h[t] = (1 - u[t]) .* h[t-1] + u[t] .* g[t]
        loss = norm(y - h[T])^2
    """,
    "first and last": """
        input x[1..T] : n x d
        param U : d x m
        param W : m x m
        h[0] = zeros(n, m)
        for t in 1..T:
            h[t] = tanh(x[t] U + h[t-1] W)
        loss = tr(h[1]^T h[T]) + sum(h[T]) + norm(h[0] + h[1])^2
    """,
    "no recurrence, fixed ends": """
        input x[1..T] : n x d
        param U : d x m
        for t in 1..T:
            h[t] = tanh(x[t] U)
        loss = tr(h[1]^T h[T]) + sum(h[T])
    """,
    "parameters at every step": """
        input x[1..T] : n x d
        param U[1..T] : d x m
        param b[1..T] : m
        param W : m x m
        h[0] = zeros(n, m)
        for t in 1..T:
            h[t] = tanh(x[t] U[t] + h[t-1] W + 1_n b[t]^T)
        loss = norm(h[T])^2 + norm(U[1])^2 + sum(t in 2..T, norm(b[t] - b[t-1])^2)
    """,
    "start in every step": """
        input x[1..T] : n x d
        param h0 : n x m
        param U : d x m
        h[0] = sigmoid(h0)
        for t in 1..T:
            h[t] = tanh(x[t] U + h[t-1] .* h[0])
        loss = norm(h[T])^2
    """,
    "two layers": """
        input x[1..T] : n x d
        input y[1..T] : n x k
        param U : d x m
        param W : m x m
        param A : m x m
        param B : m x m
        param V : m x k
        h[0] = zeros(n, m)
        s[0] = zeros(n, m)
        for t in 1..T:
            h[t] = relu(x[t] U + h[t-1] W)
            s[t] = tanh(h[t] A + s[t-1] B + h[t-1] W)
            p[t] = s[t] V
        loss = sum(t in 1..T, sum(logsumexp(p[t], axis=1)) - sum(y[t] .* p[t])) / n
    """,
    "residual": """
        input h0 : n x m
        input x[1..T] : n x m
        param W : m x m
        h[0] = h0 W
        for t in 1..T:
            h[t] = h[t-1] + tanh(h[t-1] W) + x[t]
        loss = norm(h[T])^2 / n
    """,
    "vectors and numbers": """
        input x[1..T] : m
        input y[1..T] : scalar
        param w : m
        param a : scalar
        param S : m x m symmetric
        s[0] = 0
        for t in 1..T:
            s[t] = a s[t-1] + w^T S x[t]
        loss = sum(t in 1..T, (s[t] - y[t])^2) + a^2
    """,
    "Kalman": """
        input y[1..T] : k
        param A : m x m
        param H : k x m
        param Q : m x m spd
        param R : k x k spd
        P[0] = Q
        c[0] = zeros(m, 1)
        for t in 1..T:
            M[t] = A P[t-1] A^T + Q
            S[t] = H M[t] H^T + R
            r[t] = y[t] - H A c[t-1]
            K[t] = M[t] H^T inv(S[t])
            c[t] = A c[t-1] + K[t] r[t]
            P[t] = M[t] - K[t] H M[t]
        loss = sum(t in 1..T, logdet(S[t]) + r[t]^T inv(S[t]) r[t])
    """,
    "log of a softmax in a loop": """
        input x[1..T] : n x d
        input y[1..T] : n x k
        param U : d x m
        param W : m x m
        param V : m x k
        h[0] = zeros(n, m)
        for t in 1..T:
            h[t] = relu(x[t] U + h[t-1] W)
            p[t] = softmax(h[t] V, axis=1)
        output p
        loss = -sum(t in 1..T, sum(y[t] .* log(p[t]))) / n
    """,
    "sum in the middle": """
        input x[1..T] : n x d
        param U : d x m
        param W : m x m
        for t in 1..T:
            h[t] = tanh(x[t] U)
        M = sum(t in 1..T, h[t] W)
        for t in 1..T:
            q[t] = tanh(h[t] .* M)
        loss = sum(t in 1..T, norm(q[t])^2) + norm(M)^2
    """,
    "inverse before a loop": """
        input x[1..T] : m
        param S : m x m spd
        param b : m
        for t in 1..T:
            q[t] = (x[t] - b)^T inv(S + I) (x[t] - b)
        loss = sum(t in 1..T, q[t]) + logdet(S)
    """,
    "nonlinear sum": """
        input x[1..T] : n x d
        input y[1..T] : n
        param w : d
        loss = sum(t in 1..T, sum(log(1 + exp(-y[t] .* (x[t] w)))))
    """,
    "not all": """
        input x[1..T] : n x d
        param U : d x m
        param W : m x m
        param A : m x m
        param c : scalar
        for t in 1..T:
            h[t] = tanh(x[t] U)
            g[t] = h[t] A
        loss = sum(t in 1..T, norm(h[t] W)^2)
    """,
    "shared layer": """
        input X : n x m
        param W : m x m
        param b : 1 x m
        size L = 4
        A[0] = X
        for l in 1..L:
            A[l] = A[l-1] + tanh(A[l-1] W + 1_n b)
        loss = norm(A[L])^2
    """,
    "swish": """
        f(x) = x * sigmoid(x)
        input X : n x d
        param W1 : d x m
        param W2 : m x k
        H1 = f(X W1)
        H2 = f(H1 W2)
        loss = sum(H2)
    """,
    "spelled out": """
        input X : n x d
        input Y : n x k
        param W : d x k
        E = exp(X W)
        loss = sum(log(sum(E, axis=1))) - sum(Y .* (X W))
    """,
    "Gaussian process": """
        input X : n x d
        input y : n
        param A : d x d
        param s : scalar positive
        K = X A A^T X^T + (s^2) I
        loss = y^T inv(K) y + logdet(K)
    """,
    "Rayleigh": """
        input A : m x m symmetric
        param x : m
        loss = (x^T A x) / (x^T x) + log(1 + x^T x)
    """,
    "structured": """
        input X : n x m
        param S : m x m symmetric
        param D : m x m diagonal
        param L : m x m lower
        loss = tr(X S D L X^T) + norm(X L)^2
    """,
}  # fmt: skip


def text(name: str) -> str:
    """The model as a file holds it."""
    lines = HARD[name].strip("\n").splitlines()
    return "\n".join(["model test", "", *(line[8:].rstrip() for line in lines if line.strip())]) + "\n"
