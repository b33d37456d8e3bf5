"""One tree for everything that may go wrong in a way that a person can be told about.

QuotesmithError
|-- SettingsError            a key or a value of the settings is wrong
|-- InputError               what the person typed cannot be used (too long, empty, unknown name)
|-- BusyError                the queue is full: try again later
|-- GenerationError          the model gave no usable text
|   |-- DeadlineExceeded     it took longer than the deadline
|   `-- WorkerCrashed        the worker process died too often over one request
|-- ModelError
|   |-- ModelNotFound        no model folder or file of that name
|   |-- ModelInvalid         not a GGUF, truncated, checksum wrong, bad manifest
|   |-- ModelTooLarge        does not fit in memory or on the disk
|   `-- DownloadFailed       the hub cannot be reached or lacks the file
|-- StorageError
|   |-- DatabaseUnavailable  cannot be opened, is locked, or is not ours
|   `-- DataKeyError         the encryption key is missing, malformed or another one
`-- PlatformError
    |-- PlatformRefused      Discord or Telegram does not take the token: trying again is no use
    `-- PlatformUnreachable  no network, or the platform is down: try again later

`str(error)` is one clear sentence for a person: what was wrong and what is allowed. A library's errors are
translated where the library is used, with `raise ... from error`, so that the cause stays in the debug log.
"""

from __future__ import annotations


class QuotesmithError(Exception):
    """The root: its text is one sentence that may be shown to a person.

    `key` and `values` name the sentence in the catalogue of other languages; without a key it is shown as it is.
    """

    def __init__(self, text: str = "", key: str = "", **values: str | int | float) -> None:
        super().__init__(text)
        self.key = key
        self.values = values


class SettingsError(QuotesmithError):
    """A key or a value of the settings is wrong; the text names both and what is allowed."""


class InputError(QuotesmithError):
    """What the person typed cannot be used."""


class BusyError(QuotesmithError):
    """The queue is full, or this person already waits for as many replies as allowed."""


class GenerationError(QuotesmithError):
    """The model gave no usable text."""


class DeadlineExceeded(GenerationError):
    """The reply took longer than the deadline."""


class WorkerCrashed(GenerationError):
    """The worker process died too often over one request, or cannot be started."""


class ModelError(QuotesmithError):
    """Something is wrong with a model."""


class ModelNotFound(ModelError):
    """There is no model folder or file of that name."""


class ModelInvalid(ModelError):
    """The file is not a GGUF, is cut off, has another checksum, or its manifest cannot be read."""


class ModelTooLarge(ModelError):
    """The model does not fit into memory or onto the disk."""


class DownloadFailed(ModelError):
    """The model hub cannot be reached or does not have the file."""


class StorageError(QuotesmithError):
    """Something is wrong with the database."""


class DatabaseUnavailable(StorageError):
    """The database cannot be opened or is locked, or its schema is not ours."""


class DataKeyError(StorageError):
    """The encryption key is missing, malformed, or not the one that the data was written with."""


class PlatformError(QuotesmithError):
    """Discord or Telegram cannot be served."""


class PlatformRefused(PlatformError):
    """The platform does not take the token, or serves somebody else with it: trying again is no use."""


class PlatformUnreachable(PlatformError):
    """There is no network, or the platform is down: it may be back later."""
