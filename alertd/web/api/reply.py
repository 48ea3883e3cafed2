"""A model as an answer."""

from pydantic import BaseModel
from starlette.responses import Response

JSON = "application/json"


def reply(answer: BaseModel, status: int = 200) -> Response:
    return Response(answer.model_dump_json().encode(), status, media_type=JSON)
