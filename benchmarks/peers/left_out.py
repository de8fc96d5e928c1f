"""Autograd's tests and examples that are left out, each with its reason."""

COMPLEX = "complex numbers, which this engine refuses by name"
INTERNALS = "Autograd's own machinery, not a derivative"

REASONS = {
    COMPLEX: """
        test_complex::test_real_type test_complex::test_real_if_close_type
        test_direct::test_holomorphic_grad test_fft::test_rfftn_odd_not_implemented
        test_graphs::test_complex_mutating_outgrad_from_indexing
        test_linalg::test_eig_real test_scipy::test_sqrtm test_systematic::test_real_ic
        test_systematic::test_imag_ic test_wrappers::test_dtypes
    """,
    INTERNALS: """
        test_misc::test_const_graph test_misc::test_const_graph_args
        test_wrappers::test_wrapped_name_and_docs
    """,
}

FILES = {"test_vspaces": INTERNALS}
"""Files of tests that are left out as a whole."""


def reason(name):
    """Why a test, ``file::function``, is left out; None if it is not."""
    return next((why for why, names in REASONS.items() if name in names.split()), None)


HELPERS = ("__init__", "data", "data_mnist")
"""Files beside the examples that are none."""

EXAMPLES = {
    "rkhs.py": "differentiates functions of a vector space that it teaches to Autograd's core",
}
