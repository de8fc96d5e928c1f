"""A pass through a network as part of a program: forward, backward, and the derivative of both.

With ``h_0 = x``, ``z_l = h_{l-1} w_l + b_l``, ``h_l = act(z_l)`` for the hidden layers and the last
``z_L`` being the output y, and a bar for cotangents::

    d_L = y_bar;   w_l_bar = h_{l-1}^T d_l,   b_l_bar = sum_r d_l,
                   e_{l-1} = d_l w_l^T,       d_{l-1} = e_{l-1} act'(z_{l-1})

`Pass.tangent` and the like take the derivative of all that as the parameters move along V: an R
before a name. The input does not move.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tinygrad_ugan.kernels import narrow, one_hidden_layer, products
from tinygrad_ugan.kernels.network import Network, Weights, padded, tall, unwanted
from tinygrad_ugan.kernels.program import CHUNK, Matrix, Program


@dataclass(frozen=True)
class Pass:
    """The arrays of a pass through a network; entry l belongs to layer l.

    Attributes
    ----------
    h, e : list of Matrix
        h_0 ... h_{L-1} and e_1 ... e_{L-2} (entry 0 is not used), for all rows. Where there will
        be no tangent, e is scratch; where there will be one, h_1 is if the input is thin.
    d, Rh, Rd : list of Matrix
        Scratch of the chunk, for the rows of a block.
    """

    program: Program
    network: Network
    h: list[Matrix]
    e: list[Matrix]
    d: list[Matrix]
    Rh: list[Matrix]
    Rd: list[Matrix]

    @property
    def _act(self) -> str:
        return self.network.activation

    def _below(self, l: int) -> str:
        """The activation whose output layer l takes."""
        return "identity" if l == 1 else self._act

    def hidden(self, theta: Weights) -> None:
        """h_1 ... h_{L-1}; or nothing, where `output` does it all."""
        if self.network.has_one_hidden_layer:
            return
        for l in range(1, self.network.depth):
            self._layer(l, theta, self.h[l], self._act)

    def output(self, theta: Weights, y: Matrix) -> None:
        """The output, after the hidden layers."""
        L = self.network.depth
        if self.network.has_one_hidden_layer:
            self._one_hidden_forward(theta, y)
            return
        if not self.network.has_narrow_output:
            self._layer(L, theta, y, "identity")
            return
        a, w = self.h[L - 1], theta.w[L - 1]
        self.program.call(
            narrow.narrow_output, self.network.sizes[-1], a=a, lda=a.ld, wt=w, ldw=w.ld,
            bias=theta.b[L - 1], out=y, ldo=y.ld, n=padded(self.program, a),
        )  # fmt: skip

    def _one_hidden_forward(self, theta: Weights, y: Matrix) -> None:
        (x, h), (w, w2), (b, b2) = self.h, theta.w, theta.b
        self.program.call(
            one_hidden_layer.one_hidden_forward, self._act, x.columns, x=x, ldx=x.ld, w=w, ldw=w.ld,
            bias=b, w2=w2, bias2=b2, h=h, ldh=h.ld, s=y, lds=y.ld, n=padded(self.program, h),
        )  # fmt: skip

    def _layer(self, l: int, theta: Weights, out: Matrix, activation: str) -> None:
        a, w, b = self.h[l - 1], theta.w[l - 1], theta.b[l - 1]
        n = padded(self.program, w)
        if self.network.has_narrow_input(l):
            self.program.call(
                narrow.narrow_input, activation, a.columns, x=a, ldx=a.ld, w=w, ldw=w.ld, bias=b,
                out=out, ldo=out.ld, n=n,
            )  # fmt: skip
        else:
            self.program.call(
                products.dense, activation, a=a, lda=a.ld, w=w, ldw=w.ld, bias=b,
                out=out, ldo=out.ld, n=n, depth=a.columns,
            )  # fmt: skip

    def backward(
        self, theta: Weights, y_bar: Matrix, grad: Weights | None, *, to_input: bool
    ) -> None:
        """Gradients, added to `grad`, from the cotangent of the output; d_0 too if asked for."""
        L = self.network.depth
        if self.network.has_one_hidden_layer and grad and not to_input:
            self._one_hidden_backward(theta, y_bar, grad)
            return
        if self.network.has_narrow_output:
            a, w = self.h[L - 1], theta.w[L - 1]
            sink = grad or unwanted(self.program, self.network)
            self.program.call(
                narrow.output_backward, self._below(L), self.network.sizes[-1], h=a, ldh=a.ld, wt=w,
                ldw=w.ld, ds=y_bar, lds=y_bar.ld, d=self.d[L - 1], dwt=sink.w[L - 1],
                db=sink.b[L - 1], n=padded(self.program, a),
            )  # fmt: skip
        else:
            self._gradient(L, y_bar, grad)
            self._pull_back(L, theta, y_bar, to_input=to_input)
        for l in range(L - 1, 0, -1):
            self._gradient(l, self.d[l], grad)
            self._pull_back(l, theta, self.d[l], to_input=to_input)

    def _one_hidden_backward(self, theta: Weights, y_bar: Matrix, grad: Weights) -> None:
        (x, h), (dw, dw2), (db, db2) = self.h, grad.w, grad.b
        self.program.call(
            one_hidden_layer.one_hidden_backward, self._act, x.columns, x=x, ldx=x.ld, h=h,
            ldh=h.ld, w2=theta.w[1], ds=y_bar, lds=y_bar.ld, dw=dw, ldw=dw.ld, db=db, dw2=dw2,
            db2=db2, n=padded(self.program, h),
        )  # fmt: skip

    def _gradient(self, l: int, d: Matrix, grad: Weights | None) -> None:
        """w_l_bar and b_l_bar from d_l."""
        if grad is None:
            return
        a, dw, db = self.h[l - 1], grad.w[l - 1], grad.b[l - 1]
        n = padded(self.program, dw)
        if self.network.has_narrow_input(l):
            self.program.call(
                narrow.narrow_input_accumulate, a.columns, x=a, ldx=a.ld, d=d, ldd=d.ld,
                dw=dw, db=db, ldo=dw.ld, n=n,
            )  # fmt: skip
        else:
            self.program.call(
                products.accumulate, a=a, lda=a.ld, d=d, ldd=d.ld,
                dw=dw, db=db, ldo=dw.ld, m=tall(self.program, dw), n=n,
            )  # fmt: skip

    def _pull_back(self, l: int, theta: Weights, d: Matrix, *, to_input: bool) -> None:
        """e_{l-1} and d_{l-1} from d_l."""
        if l == 1:
            if to_input:
                self._to_input(theta, d)
            return
        wt, a = theta.wt[l - 1], self.h[l - 1]
        assert wt is not None
        self.program.call(
            products.pullback, self._act, d=d, ldd=d.ld, wt=wt, ldw=wt.ld, h=a,
            e_out=self.e[l - 1], d_out=self.d[l - 1], ldo=a.ld,
            n=padded(self.program, a), depth=d.columns,
        )  # fmt: skip

    def _to_input(self, theta: Weights, d: Matrix) -> None:
        w, wt, out = theta.w[0], theta.wt[0], self.d[0]
        nothing = self.program.vector(out.ld)
        if wt is None:
            self.program.call(
                narrow.narrow_output, w.rows, a=d, lda=d.ld, wt=w, ldw=w.ld, bias=nothing,
                out=out, ldo=out.ld, n=padded(self.program, d),
            )  # fmt: skip
        else:
            self.program.call(
                products.dense, "identity", a=d, lda=d.ld, w=wt, ldw=wt.ld,
                bias=nothing, out=out, ldo=out.ld, n=padded(self.program, wt), depth=d.columns,
            )  # fmt: skip

    def hidden_tangent(self, theta: Weights, v: Weights) -> None:
        """Rh_1 ... Rh_{L-1}; and h_1 again, where the input is thin.

        Or nothing, where `logit_tangent` does it all.
        """
        if self.network.has_one_hidden_layer:
            return
        for l in range(1, self.network.depth):
            a, h, out = self.h[l - 1], self.h[l], self.Rh[l]
            w, Rw, Rb = theta.w[l - 1], v.w[l - 1], v.b[l - 1]
            n = padded(self.program, w)
            if self.network.has_narrow_input(l):
                self.program.call(
                    narrow.narrow_input_and_tangent, self._act, a.columns, x=a, ldx=a.ld, w=w,
                    Rw=Rw, ldw=w.ld, bias=theta.b[0], Rbias=Rb, out=h, Rout=out, ldo=h.ld, n=n,
                )  # fmt: skip
            else:
                self.program.call(
                    products.dense_tangent, self._act, l > 1, a=a, Ra=self.Rh[l - 1], lda=a.ld,
                    w=w, Rw=Rw, ldw=w.ld, Rbias=Rb, h=h, Rout=out, ldo=h.ld, n=n,
                    depth=a.columns,
                )  # fmt: skip

    def logit_tangent(self, theta: Weights, v: Weights, Rs: Matrix) -> None:
        """The derivative of the only output."""
        L = self.network.depth
        if self.network.has_one_hidden_layer:
            self._one_hidden_forward_tangent(theta, v, Rs)
            return
        a, w = self.h[L - 1], theta.w[L - 1]
        self.program.call(
            narrow.narrow_output_tangent, 1, L > 1, a=a, Ra=self.Rh[L - 1], lda=a.ld, wt=w,
            Rwt=v.w[L - 1], ldw=w.ld, Rbias=v.b[L - 1], Rout=Rs, ldo=Rs.ld,
            n=padded(self.program, a),
        )  # fmt: skip

    def _one_hidden_forward_tangent(self, theta: Weights, v: Weights, Rs: Matrix) -> None:
        (x, h), (w, w2), (Rw, Rw2), (Rb, Rb2) = self.h, theta.w, v.w, v.b
        self.program.call(
            one_hidden_layer.one_hidden_forward_tangent, self._act, x.columns, x=x, ldx=x.ld, w=w,
            Rw=Rw, ldw=w.ld, bias=theta.b[0], Rbias=Rb, w2=w2, Rw2=Rw2, Rbias2=Rb2, h=h,
            Rh=self.Rh[1], ldh=h.ld, Rs=Rs, n=padded(self.program, h),
        )  # fmt: skip

    def backward_tangent(
        self,
        theta: Weights,
        v: Weights,
        ds: Matrix,
        Rds: Matrix,
        Rgrad: Weights | None,
        *,
        to_input: bool,
    ) -> None:
        """The derivative of `backward` for one output: added to `Rgrad`; Rd_0 too if asked for."""
        L = self.network.depth
        if self.network.has_one_hidden_layer and Rgrad and not to_input:
            self._one_hidden_backward_tangent(theta, v, ds, Rds, Rgrad)
            return
        a, w = self.h[L - 1], theta.w[L - 1]
        sink = Rgrad or unwanted(self.program, self.network)
        self.program.call(
            narrow.output_backward_tangent, self._below(L), L > 1, h=a, Rh=self.Rh[L - 1], ldh=a.ld,
            w=w, Rw=v.w[L - 1], ds=ds, Rds=Rds, d=self.d[L - 1], Rd=self.Rd[L - 1],
            Rdw=sink.w[L - 1], Rdb=sink.b[L - 1], n=padded(self.program, a),
        )  # fmt: skip
        for l in range(L - 1, 0, -1):
            if Rgrad is not None:
                self._gradient_tangent(l, Rgrad)
            self._pull_back_tangent(l, theta, v, to_input=to_input)

    def _one_hidden_backward_tangent(
        self, theta: Weights, v: Weights, ds: Matrix, Rds: Matrix, Rgrad: Weights
    ) -> None:
        (x, h), (Rdw, Rdw2), (Rdb, Rdb2) = self.h, Rgrad.w, Rgrad.b
        self.program.call(
            one_hidden_layer.one_hidden_backward_tangent, self._act, x.columns, x=x, ldx=x.ld, h=h,
            Rh=self.Rh[1], ldh=h.ld, w2=theta.w[1], Rw2=v.w[1], ds=ds, Rds=Rds, Rdw=Rdw, ldw=Rdw.ld,
            Rdb=Rdb, Rdw2=Rdw2, Rdb2=Rdb2, n=padded(self.program, h),
        )  # fmt: skip

    def _gradient_tangent(self, l: int, Rgrad: Weights) -> None:
        if l == 1:  # the input does not move
            self._gradient(1, self.Rd[1], Rgrad)
            return
        a, d, dw = self.h[l - 1], self.d[l], Rgrad.w[l - 1]
        self.program.call(
            products.accumulate_tangent, a=a, Ra=self.Rh[l - 1], lda=a.ld, d=d, Rd=self.Rd[l],
            ldd=d.ld, Rdw=dw, Rdb=Rgrad.b[l - 1], ldo=dw.ld,
            m=tall(self.program, dw), n=padded(self.program, dw),
        )  # fmt: skip

    def _pull_back_tangent(self, l: int, theta: Weights, v: Weights, *, to_input: bool) -> None:
        if l == 1:
            if to_input:
                self._to_input_tangent(theta, v)
            return
        wt, Rwt, a, d = theta.wt[l - 1], v.wt[l - 1], self.h[l - 1], self.d[l]
        assert wt is not None
        self.program.call(
            products.pullback_tangent, self._act, d=d, Rd=self.Rd[l], ldd=d.ld, wt=wt, Rwt=Rwt,
            ldw=wt.ld, h=a, Rh=self.Rh[l - 1], e_out=self.e[l - 1], d_out=self.d[l - 1],
            Rd_out=self.Rd[l - 1], ldo=a.ld, n=padded(self.program, a), depth=d.columns,
        )  # fmt: skip

    def _to_input_tangent(self, theta: Weights, v: Weights) -> None:
        d, Rd, out = self.d[1], self.Rd[1], self.Rd[0]
        w, wt = theta.w[0], theta.wt[0]
        nothing = self.program.vector(out.ld)
        if wt is None:
            self.program.call(
                narrow.narrow_output_tangent, w.rows, True, a=d, Ra=Rd, lda=d.ld, wt=w, Rwt=v.w[0],
                ldw=w.ld, Rbias=nothing, Rout=out, ldo=out.ld, n=padded(self.program, d),
            )  # fmt: skip
        else:
            self.program.call(
                products.dense_tangent, "identity", True, a=d, Ra=Rd, lda=d.ld,
                w=wt, Rw=v.wt[0], ldw=wt.ld, Rbias=nothing, h=self.d[0], Rout=out, ldo=out.ld,
                n=padded(self.program, wt), depth=d.columns,
            )  # fmt: skip


def make_pass(
    program: Program,
    network: Network,
    x: Matrix,
    *,
    copies: int,
    chunks: int,
    tangent: bool,
) -> Pass:
    """Room for a pass over the rows of x; h and e in so many copies."""

    def kept(widths: Sequence[int]) -> list[Matrix]:
        return [program.array(x.rows, n, copies) for n in widths]

    def scratch() -> list[Matrix]:
        return [
            program.array(network.block_rows, n, chunks).along(CHUNK) for n in network.sizes[:-1]
        ]

    if tangent and network.has_narrow_input(1):
        h = [x, scratch()[1], *kept(network.sizes[2:-1])]
    else:
        h = [x, *kept(network.sizes[1:-1])]
    if not tangent:
        return Pass(program, network, h, scratch(), scratch(), [], [])
    e = [x, *kept(network.sizes[1:-2])]
    return Pass(program, network, h, e, scratch(), scratch(), scratch())
