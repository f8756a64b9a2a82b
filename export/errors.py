"""Why an export was refused; every message names what is wrong and what to do.

ExportError
├── TargetError      the bundle cannot be put where it was asked to go
├── ConversionError  the model cannot be written as ONNX graphs
├── GoldenError      the golden sentences are no proof of a correct load
├── ParityError      the served model does not compute what PyTorch computes
└── QualityError     fp16 or int8 translates worse
"""


class ExportError(Exception):
    """Refuse an export; nothing is left behind."""


class TargetError(ExportError):
    """Refuse the place or version of a bundle."""


class ConversionError(ExportError):
    """Refuse a model that cannot be written as ONNX graphs."""


class GoldenError(ExportError):
    """Refuse golden sentences that are too few or too close calls."""


class ParityError(ExportError):
    """Refuse graphs that differ from PyTorch."""


class QualityError(ExportError):
    """Refuse a precision that costs too much of the model's quality."""
