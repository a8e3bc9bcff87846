"""Maps the backend's errors to HTTP, once. English sentences come from the catalogue that the UI translates with."""

import logging
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from backend.contracts.base import ErrorReply, Problem
from backend.domain import errors
from backend.sentences import sentence

STATUS: dict[type[errors.ArmError], int] = {
    errors.NotFoundError: 404,
    errors.InvalidInputError: 422,
    errors.ConflictError: 409,
    errors.TooLargeError: 413,
    errors.NotAllowedError: 403,
    errors.UnavailableError: 503,
}
log = logging.getLogger(__name__)


def install(app: FastAPI) -> None:
    """Answer every ArmError and every malformed request with an ErrorReply."""
    app.add_exception_handler(errors.ArmError, _answer_arm_error)
    app.add_exception_handler(RequestValidationError, _answer_malformed_request)
    app.add_exception_handler(HTTPException, _answer_refusal)
    app.add_exception_handler(UnicodeEncodeError, _answer_half_character)
    app.add_exception_handler(Exception, _answer_defect)


def _answer_arm_error(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, errors.ArmError)
    status = next(code for kind, code in STATUS.items() if isinstance(error, kind))
    return _reply(status, error.code, error.params, error.problems)


def _answer_malformed_request(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    problems = [
        Problem(code="field_invalid", params={"field": ".".join(map(str, e["loc"])), "detail": e["msg"]})
        for e in error.errors()
    ]
    return _reply(422, "request_invalid", {}, tuple(problems))


def _answer_refusal(request: Request, error: Exception) -> JSONResponse:
    """What the framework itself refuses: an unknown address, a method the address does not take, unreadable JSON."""
    assert isinstance(error, HTTPException)
    params = {"method": request.method, "path": request.url.path, "detail": str(error.detail)}
    code = "no_such_address" if error.status_code in (404, 405) else "request_refused"
    return _reply(error.status_code, code, params, ())


def _answer_half_character(_: Request, error: Exception) -> JSONResponse:
    """JSON can write half of a surrogate pair, which neither a database nor a page can hold."""
    assert isinstance(error, UnicodeEncodeError)
    return _reply(422, "text_not_utf8", {}, ())


def _answer_defect(request: Request, error: Exception) -> JSONResponse:
    log.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return _reply(500, "internal_error", {"detail": f"{type(error).__name__}: {error}"[:500]}, ())


def _reply(status: int, code: str, params: dict[str, Any], problems: tuple[Problem, ...]) -> JSONResponse:
    body = ErrorReply(
        code=code,
        params=params,
        message=sentence(f"error.{code}.message", params),
        hint=sentence(f"error.{code}.hint", params),
        problems=problems,
    )
    return JSONResponse(body.model_dump(mode="json"), status_code=status)
