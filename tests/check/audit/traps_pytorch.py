"""The traps as PyTorch code falls into them: modules, optimisers that write in place, copies."""

import copy
import itertools

import pytest

torch = pytest.importorskip("torch")
nn = torch.nn

LOSSES = {
    "minimax": (
        lambda r, s: nn.functional.softplus(-r).mean() + nn.functional.softplus(s).mean(),
        lambda s: -nn.functional.softplus(s).mean(),
    ),
    "nonsaturating": (
        lambda r, s: nn.functional.softplus(-r).mean() + nn.functional.softplus(s).mean(),
        lambda s: nn.functional.softplus(-s).mean(),
    ),
}
"""The loss that the discriminator descends, and that of the generator, up to a constant."""


class Code:
    """Someone's unrolled GAN in PyTorch."""

    def __init__(self, problem, dtype=torch.float64):
        self.problem, self.K, self.eta = problem, problem.steps, problem.lr
        self.generator, self.discriminator = (
            module(network.sizes, theta, dtype)
            for network, theta in (
                (problem.game.generator, problem.theta_g),
                (problem.game.discriminator, problem.theta_d),
            )
        )
        self.real, self.noise = (torch.as_tensor(x, dtype=dtype) for x in problem.batch)
        self.d_loss, self.g_loss = LOSSES[problem.game.loss]

    def samples(self):
        return self.generator(self.noise)

    def inner(self, params, fake):
        """The discriminator's loss, as a function of its parameters."""
        return self.d_loss(self.logits(params, self.real), self.logits(params, fake))

    def logits(self, params, x):
        return torch.func.functional_call(self.discriminator, params, (x,))

    def params(self):
        return dict(self.discriminator.named_parameters())

    def gradient(self, loss):
        """Like `torch.autograd.grad`, as theta_g holds it: PyTorch's weights are transposed."""
        found = torch.autograd.grad(loss, list(self.generator.parameters()), allow_unused=True)
        return as_theta(found)


def module(sizes, theta, dtype):
    layers = []
    for n_in, n_out in itertools.pairwise(sizes):
        layers += [nn.Linear(n_in, n_out, dtype=dtype), nn.Tanh()]
    network = nn.Sequential(*layers[:-1])
    load(network, theta)
    return network


def load(network, theta):
    with torch.no_grad():
        for layer, values in zip(network[::2], theta, strict=True):
            layer.weight.copy_(torch.as_tensor(values["w"]).T)
            layer.bias.copy_(torch.as_tensor(values["b"]))


def as_theta(tensors):
    tensors = list(tensors)
    return [
        {"w": None if w is None else w.T, "b": b}
        for w, b in zip(tensors[::2], tensors[1::2], strict=True)
    ]


def descend(params, grads, eta):
    return {name: p - eta * g for (name, p), g in zip(params.items(), grads, strict=True)}


def functional(code, create_graph=True, cut=lambda fake: fake):
    """The steps as functions of the parameters."""
    return code.gradient(functional_objective(code, create_graph, cut))


def functional_objective(code, create_graph=True, cut=lambda fake: fake):
    """f_K by such steps, on the tape."""
    params = code.params()
    for _ in range(code.K):
        loss = code.inner(params, cut(code.samples()))
        grads = torch.autograd.grad(loss, list(params.values()), create_graph=create_graph)
        params = descend(params, grads, code.eta)
    return objective(code, params)


def objective(code, params):
    """f_K: minimax has a term of the real data, too, that depends on theta_G through theta_D^K."""
    fake = code.samples()
    if code.problem.game.loss == "minimax":
        return -code.inner(params, fake)
    return code.g_loss(code.logits(params, fake))


def no_create_graph(code):
    return functional(code, create_graph=False)


def samples_under_no_grad(code):
    return functional(code, cut=lambda fake: fake.detach())


def higher_style(code):
    """As the library `higher` does it: a copy whose parameters are patched by each step."""
    patched = {name: p.clone() for name, p in code.params().items()}
    for _ in range(code.K):
        loss = code.inner(patched, code.samples())
        grads = torch.autograd.grad(loss, list(patched.values()), create_graph=True)
        patched = descend(patched, grads, code.eta)
    return code.gradient(objective(code, patched))


def higher_without_tracking(code):
    """The same with track_higher_grads=False: each step detaches."""
    patched = {name: p.clone() for name, p in code.params().items()}
    for _ in range(code.K):
        loss = code.inner(patched, code.samples())
        grads = torch.autograd.grad(loss, list(patched.values()))
        patched = descend(patched, [g.detach() for g in grads], code.eta)
    return code.gradient(objective(code, patched))


def in_place(code):
    """andrewliao11 and most others: K steps of an optimiser, and the weights put back."""
    backup = copy.deepcopy(code.discriminator.state_dict())
    optimizer = torch.optim.SGD(code.discriminator.parameters(), lr=code.eta)
    for _ in range(code.K):
        optimizer.zero_grad()
        code.inner(code.params(), code.samples()).backward(create_graph=False)
        optimizer.step()
    found = code.gradient(objective(code, code.params()))
    code.discriminator.load_state_dict(backup)
    return found


def restored_too_early(code):
    """The old weights are back before the generator's loss is computed."""
    in_place(code)
    return code.gradient(objective(code, code.params()))


def stale(code):
    params = code.params()
    loss = code.inner(params, code.samples())
    grads = torch.autograd.grad(loss, list(params.values()), create_graph=True)
    for _ in range(code.K):
        params = descend(params, grads, code.eta)
    return code.gradient(objective(code, params))


def none_replaces_weights(code):
    """Gradients of the first loss by the new parameters are None."""
    params = code.params()
    loss = code.inner(params, code.samples())
    for _ in range(code.K):
        grads = torch.autograd.grad(
            loss, list(params.values()), create_graph=True, allow_unused=True
        )
        params = {
            name: p - code.eta * g if g is not None else torch.ones_like(p, requires_grad=True)
            for (name, p), g in zip(params.items(), grads, strict=True)
        }
    return code.gradient(objective(code, params))


def leaves_anew(code):
    """Before the last step the weights become leaves: truncated at 1."""
    params = code.params()
    for k in range(code.K):
        if k == code.K - 1:
            params = {name: p.detach().requires_grad_() for name, p in params.items()}
        loss = code.inner(params, code.samples())
        grads = torch.autograd.grad(loss, list(params.values()), create_graph=True)
        params = descend(params, grads, code.eta)
    return code.gradient(objective(code, params))


def samples_detached_everywhere(code):
    """A gradient of None for every parameter."""
    return code.gradient(code.inner(code.params(), code.samples().detach()))


TRAPS = {
    functional: "exact",
    higher_style: "exact",
    no_create_graph: "detached",
    samples_under_no_grad: "detached",
    higher_without_tracking: "detached",
    in_place: "detached",
    restored_too_early: "lookahead",
    stale: "stale",
    none_replaces_weights: "replaced",
    leaves_anew: "truncated",
    samples_detached_everywhere: "zero",
}

AT_ONE_STEP = dict.fromkeys((stale, none_replaces_weights, leaves_anew), "exact")


def expected(trap, steps):
    """The verdict that a trap deserves."""
    return AT_ONE_STEP.get(trap, TRAPS[trap]) if steps == 1 else TRAPS[trap]
