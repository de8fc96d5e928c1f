"""Layers of a network: the references of `products`, `narrow` and `one_hidden_layer`.

Sums run in the order of the rows, and of the inner dimension. Activations are in this file, too,
because numba's cache notices changes within a file only.
"""

# mypy: allow-untyped-defs, allow-untyped-calls
# Arguments are arrays and scalars, whose types numba infers.

import numpy as np

from tinygrad_ugan.kernels.reference.registry import helper, reference

ACTIVATIONS = ("tanh", "relu", "leaky_relu", "elu", "softplus", "sigmoid", "identity")
"""References take an index into this, as numba compares integers faster than strings."""

TANH, RELU, LEAKY_RELU, ELU, SOFTPLUS, SIGMOID, _ = range(len(ACTIVATIONS))
LEAKY_SLOPE = 0.01


@helper
def value(activation, z):
    """``act(z)`` of a number."""
    if activation == TANH:
        return np.tanh(z)
    if activation == RELU:
        return 0.0 if z <= 0 else z  # NaN stays NaN
    if activation == LEAKY_RELU:
        return z if z > 0 else LEAKY_SLOPE * z
    if activation == ELU:
        return z if z > 0 else np.expm1(z)
    if activation == SOFTPLUS:
        return np.logaddexp(z, 0)
    if activation == SIGMOID:
        small = np.exp(-abs(z))  # never overflows
        return (1.0 if z >= 0 else small) / (1 + small)
    return z


@helper
def slope(activation, h):
    """``act'(z)``, from ``h = act(z)``."""
    if activation == TANH:
        return 1 - h * h
    if activation == RELU:
        return 1.0 if h > 0 else 0.0
    if activation == LEAKY_RELU:
        return 1.0 if h > 0 else LEAKY_SLOPE
    if activation == ELU:
        return 1.0 if h > 0 else h + 1
    if activation == SOFTPLUS:
        return -np.expm1(-h)
    if activation == SIGMOID:
        return h * (1 - h)
    return 1.0


@helper
def slope_tangent(activation, h, Rh):
    """``act''(z) Rz``, which is ``act''(z) / act'(z) Rh``."""
    if activation == TANH:
        return -2 * h * Rh
    if activation == ELU:
        return 0.0 if h > 0 else Rh
    if activation == SOFTPLUS:
        return np.exp(-h) * Rh
    if activation == SIGMOID:
        return (1 - 2 * h) * Rh
    return 0.0


@helper
def add_product(a, b, out):
    """``out += a b``."""
    for r in range(out.shape[0]):
        for k in range(b.shape[0]):
            for j in range(out.shape[1]):
                out[r, j] += a[r, k] * b[k, j]


@helper
def copy(x, out):
    """``out = x``."""
    for r, j in np.ndindex(out.shape):
        out[r, j] = x[r, j]


@helper
def activate(activation, out):
    """``out = act(out)``."""
    for r, j in np.ndindex(out.shape):
        out[r, j] = value(activation, out[r, j])


@helper
def multiply_by_slope(activation, h, out):
    """``out *= act'(z)``."""
    for r, j in np.ndindex(out.shape):
        out[r, j] *= slope(activation, h[r, j])


@helper
def add_row_sum(x, out):
    """``out += sum_r x``."""
    for r in range(x.shape[0]):
        for j in range(x.shape[1]):
            out[j] += x[r, j]


@helper
def fill_rows(row, out):
    """``out = row``, for every row."""
    for r, j in np.ndindex(out.shape):
        out[r, j] = row[j]


# Products


@reference(a="rows depth lda", w="depth n ldw", bias="n", out="rows n ldo")
def dense(activation, a, w, bias, out):
    """``out = act(a w + bias)``."""
    fill_rows(bias, out)
    add_product(a, w, out)
    activate(activation, out)


@reference(
    a="rows depth lda",
    Ra="rows depth lda",
    w="depth n ldw",
    Rw="depth n ldw",
    Rbias="n",
    h="rows n ldo",
    Rout="rows n ldo",
)
def dense_tangent(activation, has_tangent, a, Ra, w, Rw, Rbias, h, Rout):
    """``Rout = act'(z) (Ra w + a Rw + Rbias)``, without the first term unless a `has_tangent`."""
    fill_rows(Rbias, Rout)
    if has_tangent:
        add_product(Ra, w, Rout)
    add_product(a, Rw, Rout)
    multiply_by_slope(activation, h, Rout)


@reference(
    d="rows depth ldd",
    wt="depth n ldw",
    h="rows n ldo",
    e_out="rows n ldo",
    d_out="rows n ldo",
)
def pullback(activation, d, wt, h, e_out, d_out):
    """``e_out = d w^T`` and ``d_out = e_out act'(z)``."""
    e_out[:] = 0
    add_product(d, wt, e_out)
    copy(e_out, d_out)
    multiply_by_slope(activation, h, d_out)


@reference(
    d="rows depth ldd",
    Rd="rows depth ldd",
    wt="depth n ldw",
    Rwt="depth n ldw",
    h="rows n ldo",
    Rh="rows n ldo",
    e_out="rows n ldo",
    d_out="rows n ldo",
    Rd_out="rows n ldo",
)
def pullback_tangent(activation, d, Rd, wt, Rwt, h, Rh, e_out, d_out, Rd_out):
    """``d_out = e_out act'(z)``, ``Rd_out = (Rd w^T + d Rw^T) act'(z) + e_out act''(z) Rz``."""
    copy(e_out, d_out)
    multiply_by_slope(activation, h, d_out)
    Rd_out[:] = 0
    add_product(Rd, wt, Rd_out)
    add_product(d, Rwt, Rd_out)
    multiply_by_slope(activation, h, Rd_out)
    for r, j in np.ndindex(h.shape):
        Rd_out[r, j] += e_out[r, j] * slope_tangent(activation, h[r, j], Rh[r, j])


@reference(a="rows m lda", d="rows n ldd", dw="m n ldo", db="n")
def accumulate(a, d, dw, db):
    """``dw += a^T d`` and ``db += sum_r d``."""
    add_product(a.T, d, dw)
    add_row_sum(d, db)


@reference(
    a="rows m lda",
    Ra="rows m lda",
    d="rows n ldd",
    Rd="rows n ldd",
    Rdw="m n ldo",
    Rdb="n",
)
def accumulate_tangent(a, Ra, d, Rd, Rdw, Rdb):
    """``Rdw += Ra^T d + a^T Rd`` and ``Rdb += sum_r Rd``."""
    add_product(Ra.T, d, Rdw)
    add_product(a.T, Rd, Rdw)
    add_row_sum(Rd, Rdb)


# Narrow layers


@reference(x="rows width ldx", w="width n ldw", bias="n", out="rows n ldo")
def narrow_input(activation, x, w, bias, out):
    """``out = act(x w + bias)``."""
    fill_rows(bias, out)
    add_product(x, w, out)
    activate(activation, out)


@reference(x="rows width ldx", Rw="width n ldw", Rbias="n", h="rows n ldo", Rout="rows n ldo")
def narrow_input_tangent(activation, x, Rw, Rbias, h, Rout):
    """``Rout = act'(z) (x Rw + Rbias)``."""
    fill_rows(Rbias, Rout)
    add_product(x, Rw, Rout)
    multiply_by_slope(activation, h, Rout)


@reference(x="rows width ldx", d="rows n ldd", dw="width n ldo", db="n")
def narrow_input_accumulate(x, d, dw, db):
    """``dw += x^T d`` and ``db += sum_r d``."""
    add_product(x.T, d, dw)
    add_row_sum(d, db)


@reference(a="rows n lda", wt="width n ldw", bias="width", out="rows width ldo")
def narrow_output(a, wt, bias, out):
    """``out = a w + bias``."""
    fill_rows(bias, out)
    add_product(a, wt.T, out)


@reference(
    a="rows n lda",
    Ra="rows n lda",
    wt="width n ldw",
    Rwt="width n ldw",
    Rbias="width",
    Rout="rows width ldo",
)
def narrow_output_tangent(has_tangent, a, Ra, wt, Rwt, Rbias, Rout):
    """``Rout = Ra w + a Rw + Rbias``, without the first term unless a `has_tangent`."""
    fill_rows(Rbias, Rout)
    if has_tangent:
        add_product(Ra, wt.T, Rout)
    add_product(a, Rwt.T, Rout)


@reference(
    h="rows n ldh",
    wt="width n ldw",
    ds="rows width lds",
    d="rows n ldh",
    dwt="width n ldw",
    db="width",
)
def output_backward(activation, h, wt, ds, d, dwt, db):
    """``d = (ds w^T) act'(z)``, ``dw += h^T ds`` and ``db += sum_r ds``."""
    d[:] = 0
    add_product(ds, wt, d)
    multiply_by_slope(activation, h, d)
    add_product(ds.T, h, dwt)
    add_row_sum(ds, db)


@reference(
    h="rows n ldh",
    Rh="rows n ldh",
    w="n",
    Rw="n",
    ds="rows",
    Rds="rows",
    d="rows n ldh",
    Rd="rows n ldh",
    Rdw="n",
    Rdb="1",
)
def output_backward_tangent(activation, has_tangent, h, Rh, w, Rw, ds, Rds, d, Rd, Rdw, Rdb):
    """``Rd = (Rds w + ds Rw) act'(z) + ds w act''(z) Rz`` and ``d = ds w act'(z)``.

    Also ``Rdw += sum_r ds Rh + Rds h`` and ``Rdb += sum_r Rds``; Rh is read if h `has_tangent`.
    """
    for r, j in np.ndindex(h.shape):
        e = ds[r] * w[j]
        Re = Rds[r] * w[j] + ds[r] * Rw[j]
        d[r, j] = e * slope(activation, h[r, j])
        Rd[r, j] = Re * slope(activation, h[r, j])
        Rdw[j] += Rds[r] * h[r, j]
        if has_tangent:
            Rd[r, j] += e * slope_tangent(activation, h[r, j], Rh[r, j])
            Rdw[j] += ds[r] * Rh[r, j]
    for r in range(h.shape[0]):
        Rdb[0] += Rds[r]


@reference(
    x="rows width ldx",
    Rx="rows width ldx",
    w="width n ldw",
    Rw="width n ldw",
    Rbias="n",
    h="rows n ldo",
    Rout="rows n ldo",
)
def narrow_input_full_tangent(activation, x, Rx, w, Rw, Rbias, h, Rout):
    """``Rout = act'(z) (Rx w + x Rw + Rbias)``."""
    fill_rows(Rbias, Rout)
    add_product(Rx, w, Rout)
    add_product(x, Rw, Rout)
    multiply_by_slope(activation, h, Rout)


@reference(
    h="rows n ldh",
    Rh="rows n ldh",
    wt="width n ldw",
    Rwt="width n ldw",
    ds="rows width lds",
    Rds="rows width lds",
    d="rows n ldh",
    Rd="rows n ldh",
    Rdwt="width n ldw",
    Rdb="width",
)
def output_backward_full_tangent(
    activation, has_tangent, h, Rh, wt, Rwt, ds, Rds, d, Rd, Rdwt, Rdb
):
    """``Rd = (Rds w^T + ds Rw^T) act'(z) + (ds w^T) act''(z) Rz`` and ``d = (ds w^T) act'(z)``.

    Also ``Rdw += Rh^T ds + h^T Rds`` and ``Rdb += sum_r Rds``; Rh is read only if h `has_tangent`.
    """
    d[:] = 0
    add_product(ds, wt, d)
    Rd[:] = 0
    add_product(Rds, wt, Rd)
    add_product(ds, Rwt, Rd)
    multiply_by_slope(activation, h, Rd)
    add_product(Rds.T, h, Rdwt)
    if has_tangent:
        add_product(ds.T, Rh, Rdwt)
        for r, j in np.ndindex(h.shape):
            Rd[r, j] += d[r, j] * slope_tangent(activation, h[r, j], Rh[r, j])
    multiply_by_slope(activation, h, d)
    add_row_sum(Rds, Rdb)


@reference(
    x="rows width ldx",
    w="width n ldw",
    Rw="width n ldw",
    bias="n",
    Rbias="n",
    out="rows n ldo",
    Rout="rows n ldo",
)
def narrow_input_and_tangent(activation, x, w, Rw, bias, Rbias, out, Rout):
    """``out = act(x w + bias)`` and ``Rout = act'(z) (x Rw + Rbias)``."""
    fill_rows(bias, out)
    add_product(x, w, out)
    activate(activation, out)
    fill_rows(Rbias, Rout)
    add_product(x, Rw, Rout)
    multiply_by_slope(activation, out, Rout)


# One hidden layer: the prime of a formula is a `2` in names


@reference(
    x="rows width ldx",
    w="width n ldw",
    bias="n",
    w2="n",
    bias2="1",
    h="rows n ldh",
    s="rows 1 lds",
)
def one_hidden_forward(activation, x, w, bias, w2, bias2, h, s):
    """``h = act(x w + bias)`` and ``s = h w' + bias'``."""
    fill_rows(bias, h)
    add_product(x, w, h)
    activate(activation, h)
    s[:] = bias2[0]
    for r, j in np.ndindex(h.shape):
        s[r, 0] += h[r, j] * w2[j]


@reference(
    x="rows width ldx",
    w="width n ldw",
    Rw="width n ldw",
    bias="n",
    Rbias="n",
    w2="n",
    Rw2="n",
    Rbias2="1",
    h="rows n ldh",
    Rh="rows n ldh",
    Rs="rows",
)
def one_hidden_forward_tangent(activation, x, w, Rw, bias, Rbias, w2, Rw2, Rbias2, h, Rh, Rs):
    """The same h again, ``Rh = act'(z) (x Rw + Rbias)`` and ``Rs = Rh w' + h Rw' + Rbias'``."""
    fill_rows(bias, h)
    add_product(x, w, h)
    activate(activation, h)
    fill_rows(Rbias, Rh)
    add_product(x, Rw, Rh)
    multiply_by_slope(activation, h, Rh)
    Rs[:] = Rbias2[0]
    for r, j in np.ndindex(h.shape):
        Rs[r] += Rh[r, j] * w2[j] + h[r, j] * Rw2[j]


@reference(
    x="rows width ldx",
    h="rows n ldh",
    w2="n",
    ds="rows 1 lds",
    dw="width n ldw",
    db="n",
    dw2="n",
    db2="1",
)
def one_hidden_backward(activation, x, h, w2, ds, dw, db, dw2, db2):
    """With ``d = ds w' act'(z)``: ``dw += x^T d``, ``db += sum_r d``, ``dw' += sum_r ds h``."""
    for r, j in np.ndindex(h.shape):
        d = ds[r, 0] * w2[j] * slope(activation, h[r, j])
        for c in range(x.shape[1]):
            dw[c, j] += x[r, c] * d
        db[j] += d
        dw2[j] += ds[r, 0] * h[r, j]
    db2[0] += ds.sum()


@reference(
    x="rows width ldx",
    h="rows n ldh",
    Rh="rows n ldh",
    w2="n",
    Rw2="n",
    ds="rows",
    Rds="rows",
    Rdw="width n ldw",
    Rdb="n",
    Rdw2="n",
    Rdb2="1",
)
def one_hidden_backward_tangent(activation, x, h, Rh, w2, Rw2, ds, Rds, Rdw, Rdb, Rdw2, Rdb2):
    """The same with ``Rd = (Rds w' + ds Rw') act'(z) + ds w' act''(z) Rz`` for d.

    And ``Rdw' += sum_r ds Rh + Rds h``.
    """
    for r, j in np.ndindex(h.shape):
        Rd = (Rds[r] * w2[j] + ds[r] * Rw2[j]) * slope(activation, h[r, j])
        Rd += ds[r] * w2[j] * slope_tangent(activation, h[r, j], Rh[r, j])
        for c in range(x.shape[1]):
            Rdw[c, j] += x[r, c] * Rd
        Rdb[j] += Rd
        Rdw2[j] += ds[r] * Rh[r, j] + Rds[r] * h[r, j]
    Rdb2[0] += Rds.sum()
