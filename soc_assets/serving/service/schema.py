"""What is asked and answered, as OpenAPI says it; requests are read by `places`, which explains each fault."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fastapi import FastAPI

_PLACE = {
    "type": "object",
    "required": ["longitude", "latitude"],
    "properties": {
        "longitude": {"type": "number", "description": "Degrees of WGS84."},
        "latitude": {"type": "number", "description": "Degrees of WGS84."},
        "date": {
            "type": "string",
            "format": "date",
            "description": "ISO, such as 2018-05-31; needed by seasonal bands.",
        },
        "year": {"type": "integer", "description": "Instead of a date, where no band has seasons."},
    },
}
_EXAMPLE = {"places": [{"longitude": 11.43, "latitude": 48.22, "year": 2018}]}
REQUEST: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "example": _EXAMPLE,
                "schema": {
                    "oneOf": [
                        {"type": "object", "properties": {"places": {"type": "array", "items": _PLACE}}},
                        {"type": "array", "items": _PLACE},
                        _PLACE,
                    ]
                },
            }
        },
    }
}
_NUMBER = ["number", "null"]
_ANSWER = {
    "predicted": {"type": _NUMBER, "description": "Organic carbon, g/kg."},
    "lower": {"type": _NUMBER, "description": "Lower end of the prediction interval, g/kg."},
    "upper": {"type": _NUMBER, "description": "Upper end, g/kg."},
    "dissimilarity": {"type": _NUMBER, "description": "Distance to the training samples in the space of the features."},
    "applicable": {
        "type": ["string", "null"],
        "description": "yes, no or unknown: was the model trained on such places?",
    },
    "missing_images": {"type": ["integer", "null"], "description": "Images that the rasters lack here."},
    "reason": {"type": "string", "description": "Why there is no prediction, or it is not applicable; else empty."},
}
PREDICTION: dict[str, Any] = {
    "description": "An answer for every place, in their order.",
    "content": {
        "application/json": {
            "schema": {
                "type": "object",
                "properties": {
                    "model": {"type": "string", "description": "Name and version."},
                    "unit": {"type": "string"},
                    "level": {"type": _NUMBER, "description": "Share of samples that the intervals should cover."},
                    "predictions": {"type": "array", "items": {"type": "object", "properties": _ANSWER}},
                },
            }
        }
    },
}
_REFUSED = {
    400: "The body is not JSON.",
    401: "The token is missing or wrong.",
    413: "Too many places, or a body that is too large.",
    415: "The body is not declared as JSON.",
    422: "The body is not a place or a list of places.",
    503: "Too many places are waiting: ask again.",
}


def described(app: "FastAPI") -> None:
    """Add to the description what the service may refuse."""
    operation = app.openapi()["paths"]["/predict"]["post"]
    operation["responses"].pop("422", None)
    operation["responses"] |= {str(code): {"description": words} for code, words in _REFUSED.items()}
