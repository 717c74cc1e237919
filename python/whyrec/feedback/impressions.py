"""What was shown: an answer as records, to which later events are joined by its request_id."""

from whyrec.errors import ArgumentError
from whyrec.feedback.records import Impression
from whyrec.reasons.recommendation import Recommendations


def impressions_of(answer: Recommendations) -> list[Impression]:
    """Return an impression for each item of an answer.

    Recording the same answer again changes nothing: ids are made of its request_id and the rank.

    Raises:
        ArgumentError: it is the answer for a visitor without an id.
    """
    if answer.user_id is None:
        raise ArgumentError("impressions are of a user; this answer is for a visitor without an id")
    time = answer.created_at.timestamp()
    return [
        Impression(
            answer.user_id,
            each.item_id,
            answer.request_id,
            each.rank,
            timestamp=time,
            event_id=f"{answer.request_id}-{each.rank}",
        )
        for each in answer
    ]
