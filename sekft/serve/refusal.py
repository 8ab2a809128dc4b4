"""How the endpoint says no: one status, one line, in the shape OpenAI's clients read."""

from starlette.responses import JSONResponse

KINDS = {401: "authentication_error", 429: "rate_limit_error"}
RETRY_AFTER_S = 2


class Refusal(Exception):
    """status: HTTP. param: the field it is about. code: what a program may look for."""

    def __init__(self, status: int, message: str, param: str | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.status, self.param, self.code = status, param, code
        self.message = " ".join(message.split())  # one line, whatever a library put into it

    def body(self) -> dict[str, dict[str, str | None]]:
        kind = KINDS.get(self.status, "invalid_request_error" if self.status < 500 else "server_error")
        return {"error": {"message": self.message, "type": kind, "param": self.param, "code": self.code}}

    def response(self) -> JSONResponse:
        headers = {"Retry-After": str(RETRY_AFTER_S)} if self.status in (429, 503) else {}
        if self.status == 401:
            headers["WWW-Authenticate"] = "Bearer"
        return JSONResponse(self.body(), self.status, headers)
