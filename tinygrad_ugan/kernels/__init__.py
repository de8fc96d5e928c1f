"""Vector kernels for networks: plain arrays in, plain arrays out.

From below: `target` is the machine, `emitter` writes a kernel for it in LLVM IR, `objects` turns that
into machine code and keeps it on disk; `vecmath` and `activations` are elementary functions, `tile`
the register tile of a matrix product.
"""
