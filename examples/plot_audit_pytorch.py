"""
Auditing PyTorch code
=====================

Four ways to unroll five discriminator steps in PyTorch: as functions, with `create_graph`; the same
without `create_graph`; by patching a copy of the parameters, as the library `higher` does; and with
an optimiser that writes in place, the weights put back at the end, as the best-known public code
does it. Each hands its gradient to `ug.check.audit`.

The lesson: all four run, and all four train. Two of them are unrolled GANs.

(This example needs PyTorch: the extra `bench`.)
"""

import copy

import numpy as np
import torch
from matplotlib.figure import Figure
from torch.nn.functional import softplus

import tinygrad_ugan as ug

K, eta = 5, 0.5
torch.manual_seed(0)
G = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Tanh(), torch.nn.Linear(8, 2)).double()
D = torch.nn.Sequential(torch.nn.Linear(2, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1)).double()
real, noise = torch.randn(32, 2).double(), torch.randn(32, 4).double()


def d_loss(params):
    def logits(x):
        return torch.func.functional_call(D, params, (x,))

    return softplus(-logits(real)).mean() + softplus(logits(G(noise))).mean()


def g_gradient(params):
    return torch.autograd.grad(-d_loss(params), list(G.parameters()))


def descend(params, grads):
    return {name: p - eta * g for (name, p), g in zip(params.items(), grads, strict=True)}


def functional(create_graph=True):
    params = dict(D.named_parameters())
    for _ in range(K):
        loss = d_loss(params)
        grads = torch.autograd.grad(loss, list(params.values()), create_graph=create_graph)
        params = descend(params, grads)
    return g_gradient(params)


def forgets_create_graph():
    return functional(create_graph=False)


def as_higher_does():
    patched = {name: p.clone() for name, p in D.named_parameters()}  # on the tape
    for _ in range(K):
        grads = torch.autograd.grad(d_loss(patched), list(patched.values()), create_graph=True)
        patched = descend(patched, grads)
    return g_gradient(patched)


def in_place():
    backup = copy.deepcopy(D.state_dict())
    optimizer = torch.optim.SGD(D.parameters(), lr=eta)
    for _ in range(K):
        optimizer.zero_grad()
        d_loss(dict(D.named_parameters())).backward()
        optimizer.step()
    gradient = g_gradient(dict(D.named_parameters()))
    D.load_state_dict(backup)
    return gradient


# %%
# The same game, declared to the auditor. PyTorch's weights are the transposes of ours.


def layers(tensors):
    tensors = list(tensors)
    return [{"w": w.T, "b": b} for w, b in zip(tensors[::2], tensors[1::2], strict=True)]


game = ug.gan.Game(ug.nn.MLP((4, 8, 2)), ug.nn.MLP((2, 8, 1)), loss="minimax")
point = (layers(G.parameters()), layers(D.parameters()), ug.gan.Batch(real, noise))
found = {}
for code in (functional, as_higher_does, forgets_create_graph, in_place):
    found[code.__name__] = ug.check.audit(layers(code()), game, *point, steps=K, lr=eta)
print(found["in_place"])

figure = Figure(figsize=(6.4, 3), layout="constrained")
axis = figure.subplots()
errors = [max(audit.relative_error, 1e-17) for audit in found.values()]
colors = ["tab:green" if audit.ok else "tab:red" for audit in found.values()]
bars = axis.barh(list(found), errors, color=colors)
axis.bar_label(bars, [audit.verdict for audit in found.values()], padding=4)
axis.axvline(found["functional"].tolerance, color="black", linewidth=0.8, label="tolerance")
axis.set(xscale="log", xlim=(1e-17, 1e6), xlabel="relative error of the generator's gradient")
axis.invert_yaxis()
axis.legend()

verdicts = [audit.verdict for audit in found.values()]
assert verdicts == ["exact", "exact", "detached", "detached"]
assert np.all(np.array(errors[2:]) > 1e-3)
