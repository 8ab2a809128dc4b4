"""Refusals of the endpoint: a status and one line, in the shape that OpenAI's clients parse."""

from starlette.responses import JSONResponse

KINDS = {401: "authentication_error", 429: "rate_limit_error"}
RETRY_AFTER_S = 2


class Refusal(Exception):
    """status: of HTTP. param: the refused field. code: a fixed word for programs."""

    def __init__(self, status: int, message: str, param: str | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.status, self.param, self.code = status, param, code
        self.message = " ".join(message.split())  # one line, also where a library's message is part of it

    def body(self) -> dict[str, dict[str, str | None]]:
        kind = KINDS.get(self.status, "invalid_request_error" if self.status < 500 else "server_error")
        return {"error": {"message": self.message, "type": kind, "param": self.param, "code": self.code}}

    def response(self) -> JSONResponse:
        headers = {"Retry-After": str(RETRY_AFTER_S)} if self.status in (429, 503) else {}
        if self.status == 401:
            headers["WWW-Authenticate"] = "Bearer"
        return JSONResponse(self.body(), self.status, headers)
