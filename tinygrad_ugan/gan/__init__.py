"""GANs: games between networks, training runs that can be trusted, reports and sweeps."""

from tinygrad_ugan.data import DoubleRing, Embedded, Grid, Ring
from tinygrad_ugan.gan.games import penalties
from tinygrad_ugan.gan.games.encoder import Encoder
from tinygrad_ugan.gan.games.feature_matching import FeatureMatching, feature_distance
from tinygrad_ugan.gan.games.game import Batch, FullBatch, Game
from tinygrad_ugan.gan.games.infogan import InfoGame, Judges, code_noise, information_bound
from tinygrad_ugan.gan.games.instance_noise import InstanceNoise
from tinygrad_ugan.gan.games.objectives import LOSSES, Loss, label_smoothing
from tinygrad_ugan.gan.games.penalties import Penalized
from tinygrad_ugan.gan.games.semi_supervised import LabelledBatch, SemiSupervised
from tinygrad_ugan.gan.reports import pictures
from tinygrad_ugan.gan.reports.report import report
from tinygrad_ugan.gan.runs.atomic_io import CorruptError, WriteError
from tinygrad_ugan.gan.runs.locks import BusyError
from tinygrad_ugan.gan.runs.replay import replay
from tinygrad_ugan.gan.runs.run import Run, load, resume, train
from tinygrad_ugan.gan.sweeps.cluster import sweep
from tinygrad_ugan.gan.sweeps.hyperparameter_grid import Variation, obtain, variations
from tinygrad_ugan.gan.training.callbacks import Callback, StepRecord, TensorBoard
from tinygrad_ugan.gan.training.checkpoint import Checkpoint
from tinygrad_ugan.gan.training.config import (
    Config,
    EarlyStop,
    Optimizer,
    Unroll,
    Update,
)
from tinygrad_ugan.gan.training.evaluation import Row
from tinygrad_ugan.gan.training.metrics import (
    Coverage,
    Divergences,
    Fidelity,
    mode_coverage,
    mode_divergences,
    own_class,
    precision_recall,
    sliced_wasserstein,
    two_sample_accuracy,
)
from tinygrad_ugan.gan.training.networks import Layers, Networks
from tinygrad_ugan.gan.training.registry import RegisteredData, register
from tinygrad_ugan.gan.training.sampler import Draws
from tinygrad_ugan.gan.training.step import Objectives, State, TrainStep

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
    "EarlyStop",
    "Embedded",
    "Encoder",
    "FeatureMatching",
    "Fidelity",
    "FullBatch",
    "Game",
    "Grid",
    "InfoGame",
    "InstanceNoise",
    "Judges",
    "LabelledBatch",
    "Layers",
    "Loss",
    "Networks",
    "Objectives",
    "Optimizer",
    "Penalized",
    "RegisteredData",
    "Ring",
    "Row",
    "Run",
    "SemiSupervised",
    "State",
    "StepRecord",
    "TensorBoard",
    "TrainStep",
    "Unroll",
    "Update",
    "Variation",
    "WriteError",
    "code_noise",
    "feature_distance",
    "information_bound",
    "label_smoothing",
    "load",
    "mode_coverage",
    "mode_divergences",
    "obtain",
    "own_class",
    "penalties",
    "pictures",
    "precision_recall",
    "register",
    "replay",
    "report",
    "resume",
    "sliced_wasserstein",
    "sweep",
    "train",
    "two_sample_accuracy",
    "variations",
]
