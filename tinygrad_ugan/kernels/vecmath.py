import math
def exp(e, x):
    x = e.maximum(e.minimum(x, 88.0 if e.single else 709.0), -87.0 if e.single else -708.0)
    n = e.round(x * (1/math.log(2)))
    hi = 0.693359375; lo = math.log(2)-hi
    r = e.fma(n, -hi, x); r = e.fma(n, -lo, r)
    p = e.constant(1/math.factorial(8 if e.single else 13))
    for k in range(7 if e.single else 12, -1, -1):
        p = e.fma(p, r, 1/math.factorial(k))
    bits = (e.to_integers(n) + (127 if e.single else 1023)) << (23 if e.single else 52)
    return p * e.from_bits(bits)
def sigmoid(e, x):
    return 1.0 / (1.0 + exp(e, -x))
def tanh(e, x):
    t = exp(e, -2.0 * e.absolute(x))
    return e.copysign((1.0 - t) / (1.0 + t), x)
def log_sigmoid(e, x):
    # log(sigmoid)
    t = exp(e, -e.absolute(x))
    s = t / (2.0 + t)
    z = s*s
    p = e.constant(0.0)
    for k in range(25, -1, -1):
        p = e.fma(p, z, 1/(2*k+1))
    return e.minimum(x, 0.0) - 2.0*s*p
