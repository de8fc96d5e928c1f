from dataclasses import dataclass
from typing import Any
from tinygrad_ugan.kernels import vecmath
@dataclass(frozen=True)
class Activation:
    name: str
    value: Any
    slope: Any
    bend: Any
    curved: bool
ACTIVATIONS = {a.name: a for a in (
 Activation("tanh", vecmath.tanh, lambda e,h: e.fma(-h,h,1.0), lambda e,h,t: -2.0*h*t, True),
 Activation("relu", lambda e,z: e.maximum(z,0.0), lambda e,h: e.where(h>0.0, e.constant(1.0), 0.0), None, False),
 Activation("identity", lambda e,z: z, lambda e,h: e.constant(1.0), None, False),
)}
