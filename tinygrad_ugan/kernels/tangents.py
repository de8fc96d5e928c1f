"""The rates of change of a network's passes as everything moves: input, parameters, cotangent.

In the notation of `network_pass`, with ``Rh_0 = Rx``::

    Rz_l = Rh_{l-1} w_l + h_{l-1} Rw_l + Rb_l,         Rh_l = act'(z_l) Rz_l
    Rd_L = Ry_bar;  Rw_l_bar = Rh_{l-1}^T d_l + h_{l-1}^T Rd_l,     Rb_l_bar = sum_r Rd_l,
                    Re_{l-1} = Rd_l w_l^T + d_l Rw_l^T,
                    Rd_{l-1} = Re_{l-1} act'(z_{l-1}) + e_{l-1} act''(z_{l-1}) Rz_{l-1}
"""

from __future__ import annotations

from dataclasses import dataclass

from tinygrad_ugan.kernels import narrow, network, products
from tinygrad_ugan.kernels.network import Weights, padded, tall
from tinygrad_ugan.kernels.network_pass import Pass
from tinygrad_ugan.kernels.program import CHUNK, Matrix


@dataclass(frozen=True)
class TangentPass:
    """The tangents of a pass; entry l belongs to layer l.

    Attributes
    ----------
    at : Pass
        What moves. Its h are known; d and e are computed again, in its scratch.
    Rh, Rd : list of Matrix
        Rh_0 ... Rh_{L-1} and Rd_0 ... Rd_{L-1}, for the rows of a block.
    theta, v : Weights
        The parameters, and how they move.
    x_has_tangent : bool
        Whether the input moves: Rh_0 is not read otherwise.
    """

    at: Pass
    Rh: list[Matrix]
    Rd: list[Matrix]
    theta: Weights
    v: Weights
    x_has_tangent: bool

    def _has_tangent(self, l: int) -> bool:
        """Whether the input of layer l moves."""
        return l > 1 or self.x_has_tangent

    def hidden(self) -> None:
        """Rh_1 ... Rh_{L-1}."""
        for l in range(1, self.at.network.depth):
            self._layer(l, self.at.h[l], self.Rh[l], self.at.network.activation)

    def output(self, Ry: Matrix) -> None:
        """Ry, after the hidden layers."""
        net, p = self.at.network, self.at.program
        L = net.depth
        if not net.has_narrow_output:
            self._layer(L, Ry, Ry, "identity")
            return
        a, w = self.at.h[L - 1], self.theta.w[L - 1]
        p.call(
            narrow.narrow_output_tangent, net.sizes[-1], self._has_tangent(L), a=a,
            Ra=self.Rh[L - 1], lda=a.ld, wt=w, Rwt=self.v.w[L - 1], ldw=w.ld, Rbias=self.v.b[L - 1],
            Rout=Ry, ldo=Ry.ld, n=padded(p, a),
        )  # fmt: skip

    def _layer(self, l: int, h: Matrix, out: Matrix, activation: str) -> None:
        p, a, Ra = self.at.program, self.at.h[l - 1], self.Rh[l - 1]
        w, Rw, Rb = self.theta.w[l - 1], self.v.w[l - 1], self.v.b[l - 1]
        n = padded(p, w)
        if not self.at.network.has_narrow_input(l):
            p.call(
                products.dense_tangent, activation, self._has_tangent(l), a=a, Ra=Ra, lda=a.ld, w=w,
                Rw=Rw, ldw=w.ld, Rbias=Rb, h=h, Rout=out, ldo=out.ld, n=n, depth=a.columns,
            )  # fmt: skip
        elif self._has_tangent(l):
            p.call(
                narrow.narrow_input_full_tangent, activation, a.columns, x=a, Rx=Ra, ldx=a.ld, w=w,
                Rw=Rw, ldw=w.ld, Rbias=Rb, h=h, Rout=out, ldo=out.ld, n=n,
            )  # fmt: skip
        else:
            p.call(
                narrow.narrow_input_tangent, activation, a.columns, x=a, ldx=a.ld, Rw=Rw, ldw=w.ld,
                Rbias=Rb, h=h, Rout=out, ldo=out.ld, n=n,
            )  # fmt: skip

    def backward(
        self, y_bar: Matrix, Ry_bar: Matrix, Rgrad: Weights | None, *, to_input: bool
    ) -> None:
        """The rates of the gradients, added to `Rgrad` if given; Rd_0 too if asked for."""
        net = self.at.network
        L = net.depth
        if net.has_narrow_output:
            self._top(y_bar, Ry_bar, Rgrad)
        else:
            self._back(L, y_bar, Ry_bar, Rgrad, to_input=to_input)
        for l in range(L - 1, 0, -1):
            self._back(l, self.at.d[l], self.Rd[l], Rgrad, to_input=to_input)

    def _top(self, y_bar: Matrix, Ry_bar: Matrix, Rgrad: Weights | None) -> None:
        net, p = self.at.network, self.at.program
        L = net.depth
        a, w = self.at.h[L - 1], self.theta.w[L - 1]
        sink = Rgrad or network.unwanted(p, net)
        p.call(
            narrow.output_backward_full_tangent, "identity" if L == 1 else net.activation,
            net.sizes[-1], self._has_tangent(L), h=a, Rh=self.Rh[L - 1], ldh=a.ld, wt=w,
            Rwt=self.v.w[L - 1], ldw=w.ld, ds=y_bar, Rds=Ry_bar, lds=y_bar.ld, d=self.at.d[L - 1],
            Rd=self.Rd[L - 1], Rdwt=sink.w[L - 1], Rdb=sink.b[L - 1], n=padded(p, a),
        )  # fmt: skip

    def _back(
        self, l: int, d: Matrix, Rd: Matrix, Rgrad: Weights | None, *, to_input: bool
    ) -> None:
        if Rgrad:
            self._gradient(l, d, Rd, Rgrad)
        if l > 1:
            self._pull_back(l, d, Rd)
        elif to_input:
            self._to_input(d, Rd)

    def _gradient(self, l: int, d: Matrix, Rd: Matrix, Rgrad: Weights) -> None:
        p, a, Ra = self.at.program, self.at.h[l - 1], self.Rh[l - 1]
        dw, db = Rgrad.w[l - 1], Rgrad.b[l - 1]
        n, m = padded(p, dw), tall(p, dw)
        if self.at.network.has_narrow_input(l):
            nowhere = p.vector(dw.columns, 8).along(CHUNK)
            terms = [(a, Rd, db), (Ra, d, nowhere)] if self._has_tangent(l) else [(a, Rd, db)]
            for x, cotangent, total in terms:
                p.call(
                    narrow.narrow_input_accumulate, a.columns, x=x, ldx=x.ld, d=cotangent, ldd=d.ld,
                    dw=dw, db=total, ldo=dw.ld, n=n,
                )  # fmt: skip
        elif self._has_tangent(l):
            p.call(
                products.accumulate_tangent, a=a, Ra=Ra, lda=a.ld, d=d, Rd=Rd, ldd=d.ld, Rdw=dw,
                Rdb=db, ldo=dw.ld, m=m, n=n,
            )  # fmt: skip
        else:
            p.call(
                products.accumulate, a=a, lda=a.ld, d=Rd, ldd=d.ld, dw=dw, db=db, ldo=dw.ld,
                m=m, n=n,
            )  # fmt: skip

    def _pull_back(self, l: int, d: Matrix, Rd: Matrix) -> None:
        p, h, wt = self.at.program, self.at.h[l - 1], self.theta.wt[l - 1]
        assert wt is not None
        below = {"h": h, "e_out": self.at.e[l - 1], "d_out": self.at.d[l - 1], "ldo": h.ld}
        sizes = {"ldd": d.ld, "ldw": wt.ld, "n": padded(p, h), "depth": d.columns}
        act = self.at.network.activation
        p.call(products.pullback, act, d=d, wt=wt, **below, **sizes)
        p.call(
            products.pullback_tangent, act, d=d, Rd=Rd, wt=wt, Rwt=self.v.wt[l - 1],
            Rh=self.Rh[l - 1], Rd_out=self.Rd[l - 1], **below, **sizes,
        )  # fmt: skip

    def _to_input(self, d: Matrix, Rd: Matrix) -> None:
        p, out = self.at.program, self.Rd[0]
        w, wt = self.theta.w[0], self.theta.wt[0]
        nothing = p.vector(out.ld)
        common = {"a": d, "Ra": Rd, "lda": d.ld, "Rbias": nothing, "Rout": out, "ldo": out.ld}
        if wt is None:
            p.call(
                narrow.narrow_output_tangent, w.rows, True, wt=w, Rwt=self.v.w[0], ldw=w.ld,
                n=padded(p, d), **common,
            )  # fmt: skip
        else:
            p.call(
                products.dense_tangent, "identity", True, w=wt, Rw=self.v.wt[0], ldw=wt.ld, h=out,
                n=padded(p, wt), depth=d.columns, **common,
            )  # fmt: skip
