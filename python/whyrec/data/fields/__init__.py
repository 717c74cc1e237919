"""Columns as fields: what they are read as, the guess when nobody says, and the fitted result."""

from whyrec.data.fields.closed_set import FittedSet
from whyrec.data.fields.guess import Ignored, guess_field
from whyrec.data.fields.numeric import FittedNumeric
from whyrec.data.fields.schema import FeatureSchema, FittedField, fit_fields
from whyrec.data.fields.specs import Categorical, Field, Kind, Numeric, Tags, Text
from whyrec.data.fields.text import FittedText

__all__ = [
    "Categorical",
    "FeatureSchema",
    "Field",
    "FittedField",
    "FittedNumeric",
    "FittedSet",
    "FittedText",
    "Ignored",
    "Kind",
    "Numeric",
    "Tags",
    "Text",
    "fit_fields",
    "guess_field",
]
