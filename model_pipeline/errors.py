"""One tree for everything in the pipeline that a person can be told about; it knows no library and no stage.

PipelineError
|-- InputInvalid          a folder, file, name or number that was given cannot be used
|   `-- TooFewRows        what was curated leaves too few rows to learn from; more votes may leave enough
|-- ConverterUnavailable  llama.cpp's converter is not cached and cannot be downloaded or unpacked
|-- ExportFailed          the converter refused the model, or wrote something that must not be served
|-- QuantizationFailed    llama.cpp could not write the quantized file
|-- MaskWrong             the loss would be taken on something else than the replies
|-- TrainingFailed        memory, disk or numbers ended the work; the text names the checkpoint that is kept
|-- Interrupted           a person stopped it; the same command goes on from there
|-- PublishFailed         the model hub did not take what was to be published
`-- ParityFailed          the exported model does not answer as the trained one does

`str(error)` is one clear sentence: what was wrong and what is allowed. A library's errors are translated where the
library is used, with `raise ... from error`.
"""

from __future__ import annotations


class PipelineError(Exception):
    """The root: its text is one sentence that may be shown to a person."""


class InputInvalid(PipelineError):
    """Something that was given cannot be used; the text names it and says what is allowed."""


class TooFewRows(InputInvalid):
    """Too few rows are left to learn from; the text says of what, and how many are wanted."""


class ConverterUnavailable(PipelineError):
    """llama.cpp's converter is not in the cache and cannot be brought there."""


class ExportFailed(PipelineError):
    """The converter refused the model, or what it wrote must not be served."""


class QuantizationFailed(PipelineError):
    """llama.cpp could not write the quantized file."""


class MaskWrong(PipelineError):
    """Labels that are not masked do not spell a reply."""


class TrainingFailed(PipelineError):
    """Memory, disk or numbers ended the work; the text names the last good checkpoint, if training keeps any."""


class Interrupted(PipelineError):
    """A person stopped it, and nothing is lost."""


class PublishFailed(PipelineError):
    """The model hub did not take what was to be published; the text names the repository."""


class ParityFailed(PipelineError):
    """The exported model differs from the trained one; the text says which line differs and how."""
