"""GANs as games: objectives and batches; training, with all that makes its results trustworthy."""

from tinygrad_ugan.gan.callbacks import Callback, TensorBoard
from tinygrad_ugan.gan.checkpoint import Checkpoint
from tinygrad_ugan.gan.config import (
    Config,
    DoubleRing,
    Embedded,
    Grid,
    Networks,
    Optimizer,
    Ring,
    Unroll,
    Update,
)
from tinygrad_ugan.gan.disk import CorruptError, WriteError
from tinygrad_ugan.gan.draws import Draws
from tinygrad_ugan.gan.evaluation import Row
from tinygrad_ugan.gan.failure import replay
from tinygrad_ugan.gan.features import FeatureMatching, feature_distance
from tinygrad_ugan.gan.game import Batch, Game
from tinygrad_ugan.gan.grids import Variation, obtain, variations
from tinygrad_ugan.gan.inference import Encoder
from tinygrad_ugan.gan.information import InfoGame, Judges, code_noise, information_bound
from tinygrad_ugan.gan.locks import BusyError
from tinygrad_ugan.gan.metrics import (
    Coverage,
    Divergences,
    mode_coverage,
    mode_divergences,
    sliced_wasserstein,
)
from tinygrad_ugan.gan.objectives import LOSSES
from tinygrad_ugan.gan.reports import report
from tinygrad_ugan.gan.run import Run, load
from tinygrad_ugan.gan.semi_supervised import LabelledBatch, SemiSupervised
from tinygrad_ugan.gan.step import Objectives, State, TrainStep
from tinygrad_ugan.gan.sweeps import sweep
from tinygrad_ugan.gan.training import resume, train

__all__ = [
    "LOSSES",
    "Batch",
    "BusyError",
    "Callback",
    "Checkpoint",
    "Config",
    "CorruptError",
    "Coverage",
    "Divergences",
    "DoubleRing",
    "Draws",
    "Embedded",
    "Encoder",
    "FeatureMatching",
    "Game",
    "Grid",
    "InfoGame",
    "Judges",
    "LabelledBatch",
    "Networks",
    "Objectives",
    "Optimizer",
    "Ring",
    "Row",
    "Run",
    "SemiSupervised",
    "State",
    "TensorBoard",
    "TrainStep",
    "Unroll",
    "Update",
    "Variation",
    "WriteError",
    "code_noise",
    "feature_distance",
    "information_bound",
    "load",
    "mode_coverage",
    "mode_divergences",
    "obtain",
    "replay",
    "report",
    "resume",
    "sliced_wasserstein",
    "sweep",
    "train",
    "variations",
]
