"""Models as statisticians and engineers write them, one of each kind; each is a text."""

from __future__ import annotations

APPLIED: dict[str, str] = {
    "hidden Markov model": """model hmm
input B[1..T] : k
param a0 : k
param A : k x k
LA = A - logsumexp(A, axis=1) ones(1,k)
la[1] = a0 - logsumexp(a0) 1_k + B[1]
for t in 2..T:
    la[t] = logsumexp(LA^T + 1_k la[t-1]^T, axis=1) + B[t]
loss = -logsumexp(la[T])
""",
    "conditional random field": """model crf
input E[1..T] : k
input y[1..T] : k
param A : k x k
a[1] = E[1]
for t in 2..T:
    a[t] = logsumexp(A^T + 1_k a[t-1]^T, axis=1) + E[t]
score = sum(t in 2..T, y[t-1]^T A y[t]) + sum(t in 1..T, y[t]^T E[t])
loss = logsumexp(a[T]) - score
""",
    "Kalman filter": """model kalman
input y[1..T] : p
input H : p x m
input P0 : m x m spd
param F : m x m
param Q : m x m spd
param R : p x p spd
param m0 : m
a[0] = m0
P[0] = P0
for t in 1..T:
    ap[t] = F a[t-1]
    Pp[t] = F P[t-1] F^T + Q
    v[t] = y[t] - H ap[t]
    S[t] = H Pp[t] H^T + R
    K[t] = Pp[t] H^T S[t]^-1
    a[t] = ap[t] + K[t] v[t]
    P[t] = Pp[t] - K[t] H Pp[t]
loss = sum(t in 1..T, v[t]^T S[t]^-1 v[t] + logdet(S[t])) / 2
""",
    "GARCH": """model garch
input e[1..T] : scalar
param w, a, b : scalar positive
h[0] = 1
for t in 1..T:
    h[t] = w + a e[t]^2 + b h[t-1]
loss = sum(t in 1..T, log(h[t]) + e[t]^2 / h[t]) / 2
""",
    "Euler's method with a network": """model ode
input y[1..T] : n x d
input x0 : n x d
input dt : scalar
param W1 : d x m
param b1 : 1 x m
param W2 : m x d
x[0] = x0
for t in 1..T:
    x[t] = x[t-1] + dt tanh(x[t-1] W1 + 1_n b1) W2
loss = sum(t in 1..T, norm(y[t] - x[t])^2)
""",
    "linear quadratic regulator": """model lqr
input A : d x d
input B : d x m
input Q : d x d spd
input R : m x m spd
input x0 : d
input tt[1..T] : scalar
param K : m x d
x[0] = x0
for t in 1..T:
    u[t] = K x[t-1]
    x[t] = A x[t-1] + B u[t]
loss = sum(t in 1..T, x[t]^T Q x[t] + u[t]^T R u[t])
""",
    "temporal differences": """model td
input s[0..T] : d
input r[1..T] : scalar
input gamma : scalar
param w : d
loss = sum(t in 1..T, (r[t] + gamma s[t]^T w - s[t-1]^T w)^2)
""",
    "planar flow": """model planar
size K = 3
input z0 : n x d
input S : d x d spd
param u[l in 1..K] : d
param w[l in 1..K] : d
param b[l in 1..K] : scalar
Z[0] = z0
for l in 1..K:
    a[l] = tanh(Z[l-1] w[l] + b[l])
    Z[l] = Z[l-1] + a[l] u[l]^T
    q[l] = sum(log(abs(1 + (1 - a[l].^2) (w[l]^T u[l]))))
loss = tr(Z[K] S Z[K]^T) / 2 - sum(l in 1..K, q[l])
""",
    "Sinkhorn's iteration": """model sinkhorn
size K = 4
input C : n x m
input a : n positive
input b : m positive
param eps : scalar positive
Kk = exp(-C / eps)
v[0] = ones(m)
for l in 1..K:
    u[l] = a ./ (Kk v[l-1])
    v[l] = b ./ (Kk^T u[l])
P = diag(u[K]) Kk diag(v[K])
loss = sum(P .* C)
""",
    "a step of gradient descent inside the loss": """model maml
input X1 : n x d
input y1 : n
input X2 : p x d
input y2 : p
input lr : scalar
param w : d
g = X1^T (X1 w - y1) / n
w1 = w - lr g
loss = norm(X2 w1 - y2)^2 / p
""",
    "sparse variational Gaussian process": """model svgp
input Knm : n x m
input Kmm : m x m spd
input knn : n
input y : n
param mu : m
param L : m x m lower
param ls : scalar
A = Knm Kmm^-1
f = A mu
v = knn - diag(A Knm^T) + diag(A L L^T A^T)
loss = sum((y - f).^2 + v) / (2 exp(ls)) + n ls / 2 + (tr(Kmm^-1 L L^T) + mu^T Kmm^-1 mu - 2 sum(log(abs(diag(L)))) + logdet(Kmm)) / 2
""",
    "transformer block": """model block
input X : n x d
input Y : n x d
param Wq, Wk, Wv, Wo : d x d
param W1 : d x m
param W2 : m x d
param g, b : 1 x d
A = softmax(X Wq Wk^T X^T / sqrt(d)) X Wv Wo
R = X + A
C = R - mean(R, axis=1) ones(1,d)
s = mean(C.^2, axis=1) + 1e-5
N = (C ./ (sqrt(s) ones(1,d))) .* (1_n g) + 1_n b
P = R + relu(N W1) W2
output P
loss = norm(Y - P)^2 / n
""",
    "encoder and decoder": """model seq2seq
input x[1..T] : n x d
input y[1..S] : n x k
input h0 : n x m
param We : d x m
param Ue : m x m
param Wd : k x m
param Ud : m x m
param V : m x k
h[0] = h0
for t in 1..T:
    h[t] = tanh(x[t] We + h[t-1] Ue)
g[0] = h[T]
q[0] = zeros(n, k)
for s in 1..S:
    g[s] = tanh(q[s-1] Wd + g[s-1] Ud)
    q[s] = g[s] V
output q
loss = sum(s in 1..S, norm(y[s] - q[s])^2) / n
""",
    "contrastive loss": """model infonce
input A : n x d
input B : n x d
param W : d x k
param tau : scalar
U = A W
V = B W
Un = diag(1 ./ sqrt(sum(U.^2, axis=1))) U
Vn = diag(1 ./ sqrt(sum(V.^2, axis=1))) V
S = Un Vn^T * exp(tau)
loss = -(tr(S) - sum(logsumexp(S, axis=1))) / n
""",
    "variational autoencoder": """model vae
input X : n x d
input eps : n x k
param W1 : d x h
param b1 : 1 x h
param Wm : h x k
param Ws : h x k
param V1 : k x h
param V2 : h x d
H = tanh(X W1 + 1_n b1)
M = H Wm
S = H Ws
Z = M + exp(S / 2) .* eps
G = tanh(Z V1)
A = G V2
rec = sum(softplus(A) - X .* A)
kl = -sum(S - M.^2 - exp(S)) / 2
output Z
loss = (rec + kl) / n
""",
    "mixture of Gaussians": """model mixture
input X : n x d
param M : k x d
param a : k
param s : scalar
D = sum(X.^2, axis=1) ones(1,k) - 2 X M^T + 1_n sum(M.^2, axis=1)^T
Lp = 1_n (a - logsumexp(a))^T - D / (2 exp(s)) - d s / 2 ones(n,k)
loss = -sum(logsumexp(Lp, axis=1))
""",
    "factorization machine": """model fm
input X : n x d
input y : n
param w0 : scalar
param w : d
param V : d x k
s = X V
q = X.^2 V.^2
f = w0 + X w + sum(s.^2 - q, axis=1) / 2
output f
loss = norm(y - f)^2 / n
""",
    "restricted Boltzmann machine": """model rbm
input V : n x d
input W0 : n x d
param W : d x m
param b : d
param c : m
Fv = -V b - sum(softplus(V W + 1_n c^T), axis=1)
Fm = -W0 b - sum(softplus(W0 W + 1_n c^T), axis=1)
loss = mean(Fv) - mean(Fm)
""",
    "Weibull survival": """model weibull
input X : n x d
input t : n positive
input e : n
param w : d
param k : scalar positive
z = k (log(t) - X w)
loss = -sum(e .* (log(k) + z - log(t)) - exp(z))
""",
    "mixture of two experts": """model moe
input X : n x d
input y : n
param G : d x 2
param w1, w2 : d
P = softmax(X G)
f = P[:,1] .* (X w1) + P[:,2] .* (X w2)
output f
loss = norm(y - f)^2 / n
""",
    "kernel ridge regression": """model kr
input X : n x d
input y : n
param l, s : scalar
q = sum(X.^2, axis=1)
D = q ones(1,n) + 1_n q^T - 2 X X^T
K = exp(-D / exp(l)) + exp(s) I
a = K^-1 y
loss = norm(a)^2
""",
    "deep linear network": """model deep5
input X : n x a
input Y : n x f
param W1 : a x b
param W2 : b x c
param W3 : c x d
param W4 : d x e
param W5 : e x f
loss = norm(Y - X W1 W2 W3 W4 W5)^2 / n + 0.1 (norm(W1)^2 + norm(W5)^2)
""",
}
