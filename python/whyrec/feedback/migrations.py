"""The schema of a store, as the steps that lead from each version of it to the next."""

from importlib.metadata import version

from whyrec.errors import StoreError
from whyrec.feedback.database import Database, Session

_HEAD = """
    position {integer} PRIMARY KEY,
    event_id {text} NOT NULL UNIQUE,
    user_id {text} NOT NULL,
    timestamp {real} NOT NULL,
    undone {integer} NOT NULL DEFAULT 0,"""

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        "CREATE TABLE store (schema_version {integer} NOT NULL, position {integer} NOT NULL)",
        "INSERT INTO store VALUES (0, 0)",
        f"""CREATE TABLE events ({_HEAD}
    item_id {{text}} NOT NULL,
    kind {{text}} NOT NULL,
    value {{real}},
    request_id {{text}}
)""",
        "CREATE INDEX events_by_user ON events ({by_user})",
        f"""CREATE TABLE controls ({_HEAD}
    kind {{text}} NOT NULL,
    source {{text}} NOT NULL,
    value {{text}},
    weight {{real}} NOT NULL,
    request_id {{text}}
)""",
        "CREATE INDEX controls_by_user ON controls ({by_user})",
        f"""CREATE TABLE ratings ({_HEAD}
    rating {{text}} NOT NULL,
    item_id {{text}} NOT NULL,
    kind {{text}} NOT NULL,
    source {{text}} NOT NULL,
    value {{text}},
    request_id {{text}}
)""",
        "CREATE INDEX ratings_by_user ON ratings ({by_user})",
        f"""CREATE TABLE impressions ({_HEAD}
    item_id {{text}} NOT NULL,
    request_id {{text}} NOT NULL,
    rank {{integer}} NOT NULL,
    propensity {{real}}
)""",
        "CREATE INDEX impressions_by_user ON impressions ({by_user})",
        f"""CREATE TABLE undos ({_HEAD}
    undone_id {{text}} NOT NULL
)""",
        "CREATE INDEX undos_by_user ON undos ({by_user})",
    ),
    (
        """CREATE TABLE arrivals (
    user_id {text} NOT NULL,
    seconds {integer} NOT NULL,
    since {integer} NOT NULL,
    n_records {integer} NOT NULL,
    PRIMARY KEY (user_id, seconds)
)""",
    ),
)
"""The statements that lead from each schema version to the next, from none to 1 first.

A step that has been released is never changed.
"""


def migrate(database: Database) -> None:
    """Bring a database to the newest schema, all the way or not at all.

    Raises:
        StoreError: its schema is newer than this whyrec.
    """

    def schema_version(session: Session) -> int:
        if not database.has_table(session, "store"):
            return 0
        found = int(session.rows("SELECT schema_version FROM store")[0][0])
        if found > len(MIGRATIONS):
            raise StoreError(
                f"{database}: has schema {found}; whyrec {version('whyrec')} reads up to schema "
                f"{len(MIGRATIONS)}; upgrade whyrec"
            )
        return found

    def take_steps(session: Session) -> None:
        # Another process may have taken them since we looked.
        for step in MIGRATIONS[schema_version(session) :]:
            for statement in step:
                session.run(statement.format_map(database.words))
        session.run("UPDATE store SET schema_version = ?", [len(MIGRATIONS)])

    if database.read(schema_version) < len(MIGRATIONS):
        database.write(take_steps)
