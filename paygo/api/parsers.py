"""The body of a request: how long, in which type, and as which JSON object."""

from collections.abc import Mapping
from typing import IO, Any

from django.conf import settings
from django.http import UnreadablePostError
from django.utils.http import parse_header_parameters
from rest_framework.exceptions import ParseError, UnsupportedMediaType, ValidationError
from rest_framework.parsers import BaseParser

from paygo.api.errors import BodyTooLarge
from paygo.api.jsontext import JSONError, UnstorableTextError, decode_object

_IDENTITY = ("", "identity")
_UTF8 = ("utf-8", "utf8")


class BoundedJSONParser(BaseParser):
    """Takes a JSON object of at most API_MAX_BODY_BYTES bytes in UTF-8, and nothing else."""

    media_type = "application/json"

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Return the object.

        Raises:
            UnsupportedMediaType: another charset, or a compressed body.
            BodyTooLarge: more bytes than the limit; the rest stays unread.
            ParseError, ValidationError: see `paygo.api.jsontext`.
        """
        headers = (parser_context or {})["request"].META
        _check_coding(media_type or "", headers.get("HTTP_CONTENT_ENCODING", ""))
        body = _read(stream, declared=headers.get("CONTENT_LENGTH"))
        try:
            return decode_object(body)
        except UnstorableTextError as error:
            raise ValidationError({error.field[:64]: [str(error)]}) from error
        except JSONError as error:
            raise ParseError(str(error)) from error


def _check_coding(media_type: str, content_encoding: str) -> None:
    _, parameters = parse_header_parameters(media_type)
    charset = parameters.get("charset", "utf-8")
    if charset.lower() not in _UTF8:
        raise UnsupportedMediaType(media_type, detail="JSON is sent in UTF-8")
    if content_encoding.strip().lower() not in _IDENTITY:
        raise UnsupportedMediaType(media_type, detail="a body is sent without Content-Encoding")


def _read(stream: IO[Any], *, declared: str | None) -> bytes:
    limit = settings.API_MAX_BODY_BYTES
    if declared and int(declared) > limit:
        raise BodyTooLarge
    try:
        body: bytes = stream.read(limit + 1)
    except UnreadablePostError as error:
        raise ParseError("the body broke off") from error
    if len(body) > limit:
        raise BodyTooLarge
    if declared and len(body) < int(declared):
        raise ParseError("the body is shorter than its Content-Length")
    return body
