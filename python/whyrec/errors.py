"""One tree of errors; each is also the built-in that a caller would expect to catch."""


class WhyrecError(Exception):
    """Everything that whyrec raises on purpose."""


class DataError(WhyrecError, ValueError):
    """A table, a column or a row that cannot be used; the message says which."""


class ArgumentError(WhyrecError, ValueError):
    """An argument outside what the call allows."""


class UnknownIdError(WhyrecError, KeyError):
    """An id that the fitted SDK has never seen."""

    def __str__(self) -> str:
        """Show the message as it is; KeyError would show its repr."""
        return str(self.args[0]) if self.args else ""


class UnknownUserError(UnknownIdError):
    """A user id that the fitted SDK has never seen."""


class UnknownItemError(UnknownIdError):
    """An item id that is not in the catalog."""


class StorageError(WhyrecError, OSError):
    """A saved directory that is missing, damaged or of a newer schema, by file name."""


class StoreError(WhyrecError, OSError):
    """A store of feedback that is damaged, full, read-only, newer, locked or out of reach."""


class TrainingError(WhyrecError, RuntimeError):
    """Training that cannot go on, such as a loss that is no longer finite."""


class ScoreError(WhyrecError, ArithmeticError):
    """A score that is no finite number, by the row of the histories and the index of the item."""

    def __init__(self, row: int, item: int, found: str) -> None:
        super().__init__(row, item, found)
        self.row, self.item, self.found = row, item, found

    def __str__(self) -> str:
        """Say what was found, and where to look."""
        return (
            f"the score of item {self.item} for row {self.row} of the histories is {self.found}; "
            "look for what is not finite in the arrays of the recommender and in the values that "
            "came with the events"
        )


class MissingDependencyError(WhyrecError, ImportError):
    """An optional package that this call needs; the message says how to install it."""


class InternalError(WhyrecError, RuntimeError):
    """A fault of whyrec's own; please report it."""
