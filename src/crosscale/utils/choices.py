"""What options of commands take, apart from what does it, which takes seconds to import."""

from typing import Literal

EngineName = Literal["torch", "compiled", "openvino", "onnxruntime"]
EngineChoice = Literal["auto", EngineName]
FeatureChoice = Literal["auto", "encoder", "rocket", "both"]
Runner = Literal["here", "ray"]
OWN = "own"  # the first protocol that comes with a store
DRAWS = 10  # of a few labels
