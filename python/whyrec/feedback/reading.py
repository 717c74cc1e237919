"""What can be recorded: records of any class, tables of events, and answers that were shown."""

from collections.abc import Iterator
from dataclasses import replace
from typing import get_args

from whyrec.data.event_columns import EventColumns
from whyrec.data.tables import read_table
from whyrec.feedback.batch import Batch
from whyrec.feedback.impressions import impressions_of
from whyrec.feedback.records import Record
from whyrec.reasons.recommendation import Recommendations

_NEEDED = ("user_id", "item_id")


def batch_of(given: object, columns: EventColumns) -> Batch:
    """Return one record, or several, or a table of events, checked and ready for a store.

    Args:
        given: a record, an answer whose items were shown, a list or an iterator of these, a
            `Batch`, or any table that `SDK.fit` takes.
        columns: which column of a table means what; of those that it does not have, only users and
            items are missed.

    Raises:
        ArgumentError: something is no record, or a field of it cannot be kept.
        DataError: a column or a row of a table cannot be used; the message says which.
    """
    if isinstance(given, Batch):
        return given
    if isinstance(given, (Recommendations, *get_args(Record))):
        given = [given]
    if isinstance(given, list | tuple | set | frozenset | Iterator):
        batch = Batch()
        for each in given:
            for record in impressions_of(each) if isinstance(each, Recommendations) else [each]:
                batch.add(record)
        return batch
    table = read_table(given, "events")
    missing = {
        role: None
        for role, name in columns.found().items()
        if role not in _NEEDED and name not in table.columns
    }
    return Batch.of_table(table, replace(columns, **missing))
