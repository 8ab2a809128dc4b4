"""Fifty concurrent clients with a hundred malformed requests among theirs: each gets the right reply or a refusal of one line."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from sekft.model.base import Base
from tests.serve.malformed import Bad, malformed
from tests.serve.server import Running
from tests.serve.test_chat import in_process, text_of

pytestmark = pytest.mark.xdist_group("serving")
CLIENTS, GOOD_EACH, TOKENS = 50, 3, 8


def require_one_line(bad: Bad, answer: httpx.Response) -> None:
    assert answer.status_code == bad.status, (bad, answer.text)
    error = answer.json()["error"]
    assert set(error) == {"message", "type", "param", "code"} and error["type"] == "invalid_request_error"
    assert 5 < len(error["message"]) < 400 and error["message"].isprintable(), error
    assert "\n" not in answer.text and "Traceback" not in answer.text


@pytest.mark.slow
def test_fifty_clients_with_a_hundred_malformed_requests_among_theirs(server: Running, adapters: dict[str, Path], tiny: Base):
    bads = malformed()
    assert len(bads) >= 100
    dialogues = {
        (name, index): [{"role": "user", "content": f"file-{index}.txt\n$ "}] for name in ("tiny", "early", "v1.2") for index in range(4)
    }
    expected = {key: in_process(tiny, {"tiny": None, **adapters}[key[0]], messages, TOKENS) for key, messages in dialogues.items()}
    keys = sorted(dialogues)

    def run_client(client: int) -> int:
        answered = 0
        with httpx.Client(base_url=server.url, timeout=300) as http:
            for step in range(GOOD_EACH):
                for bad in bads[client * GOOD_EACH + step :: CLIENTS * GOOD_EACH]:
                    require_one_line(bad, http.request(bad.method, bad.path, content=bad.body, headers=bad.headers))
                name, index = keys[(client + step) % len(keys)]
                body = {"model": name, "messages": dialogues[name, index], "max_tokens": TOKENS}
                assert text_of(http.post("/v1/chat/completions", json=body)) == expected[name, index]
                answered += 1
        return answered

    with ThreadPoolExecutor(CLIENTS) as pool:
        assert sum(pool.map(run_client, range(CLIENTS))) == CLIENTS * GOOD_EACH
    assert server.process.poll() is None and "500" not in [line.split()[2] for line in server.log.read_text().splitlines() if " ms" in line]
