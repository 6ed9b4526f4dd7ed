"""What options take, apart from what does it, which takes seconds to import."""

from typing import Literal

Absent = Literal["present", "all"]  # bodies that are computed, see `Encoder`
Pooling = Literal["mean", "statistics", "nodes"]  # see `crosscale.encoders.base.pooled`
Layers = int | Literal["all"]  # how many of the last are read
MultiPositive = Literal["mean_log", "log_sum"]  # see `crosscale.objectives.losses`
EngineName = Literal["torch", "compiled", "openvino", "onnxruntime"]
EngineChoice = Literal["auto", EngineName]
FeatureChoice = Literal["auto", "encoder", "rocket", "both"]
Runner = Literal["here", "ray"]
OWN = "own"  # the first protocol that comes with a store
DRAWS = 10  # of a few labels
COUNTS = (1, 5, 10)  # of labels a class
SHARES = (0.01, 0.05, 0.1)  # of the labels: the field's habit
