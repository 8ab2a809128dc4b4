"""A server on the loopback that answers what W&B's client asks of its own: it proves what leaves this machine, nothing about W&B."""

import contextlib
import gzip
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

ENTITY, PROJECT = "me", "sekft"
OF_PROJECT = {"__typename": "Project", "id": "p", "internalId": "1", "name": PROJECT, "entity": {"name": ENTITY}}
RUN = {"id": "r", "displayName": "n", "project": {"name": PROJECT, "entity": {"name": ENTITY}}, "historyLineCount": 0}


def membership(asked: dict[str, Any]) -> dict[str, Any]:
    """An artifact of type adapter, under whatever name it is asked for."""
    name, _, version = asked["name"].partition(":")
    collection = {"__typename": "ArtifactSequence", "name": name, "project": OF_PROJECT}
    about = {"description": None, "metadata": "{}", "ttlDurationSeconds": 0, "ttlIsInherited": False, "tags": [], "historyStep": None}
    numbers = {"size": 4, "fileCount": 1, "versionIndex": 0, "digest": "d", "commitHash": "c", "state": "COMMITTED"}
    times = {"createdAt": "2026-01-01T00:00:00Z", "updatedAt": None, "aliases": []}
    artifact = {"__typename": "Artifact", "id": "QQ==", "artifactSequence": collection, "artifactType": {"name": "adapter"}}
    one = {"__typename": "ArtifactCollectionMembership", "id": "m", "versionIndex": 0, "createdAt": times["createdAt"], "aliases": []}
    return {
        "project": {
            "artifactCollectionMembership": {**one, "artifactCollection": collection, "artifact": artifact | about | numbers | times}
        }
    }


def answer(name: str, asked: dict[str, Any], url: str) -> dict[str, Any]:
    """data of the GraphQL operation of that name."""
    match name:
        case "UpsertBucket":
            return {"upsertBucket": {"bucket": {**RUN, "name": asked["name"]}, "inserted": True}}
        case "Viewer":
            return {"viewer": {"id": "v", "entity": ENTITY, "username": ENTITY, "flags": "{}", "teams": {"edges": []}}}
        case "ServerFeaturesQuery":
            return {"serverInfo": {"features": []}}
        case "CreateRunFiles":
            files = [{"name": file, "uploadUrl": f"{url}/put"} for file in asked["files"]]
            return {"createRunFiles": {"runID": "r", "uploadHeaders": [], "files": files}}
        case "ArtifactType":
            return {"project": {"artifact": None}}
        case "CreateArtifact":
            name = asked["input"]["artifactCollectionName"]
            sequence = {"id": name, "name": name, "latestArtifact": None}
            return {"createArtifact": {"artifact": {"id": name, "state": "PENDING", "artifactSequence": sequence}}}
        case "CreateArtifactManifest":
            put = {"id": "f", "name": asked["name"], "displayName": asked["name"], "uploadHeaders": []}
            put |= {"uploadUrl": f"{url}/put/{asked['artifactID']}/{asked['name']}", "storagePath": None}
            return {"createArtifactManifest": {"artifactManifest": {"id": "m", "file": put}}}
        case "CreateArtifactFiles":
            puts = [
                {"id": file["name"], "name": file["name"], "displayName": file["name"], "uploadHeaders": [], "storagePath": None}
                | {"uploadUrl": f"{url}/put/{file['artifactID']}/{file['name']}", "artifact": {"id": file["artifactID"]}}
                for file in asked.get("artifactFiles") or asked["input"]["artifactFiles"]
            ]
            return {"createArtifactFiles": {"files": {"edges": [{"node": put} for put in puts]}}}
        case "CommitArtifact":
            return {"commitArtifact": {"artifact": {"id": "a", "digest": "d"}}}
        case "ArtifactMembershipByName":
            return membership(asked)
        case "UseArtifact":
            return {"useArtifact": {"artifact": {"id": asked["artifactID"], "digest": "d", "description": None, "state": "COMMITTED"}}}
    return {}


@contextmanager
def loopback(artifacts: str = "known") -> Iterator[tuple[str, list[tuple[str, Any]]]]:
    """Its address, and what it was asked so far: operation and variables, or path and body.

    artifacts: known, unknown, or asked for in vain: silent."""
    heard: list[tuple[str, Any]] = []
    stopped = threading.Event()

    class Answering(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: Any) -> None: ...

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            body = gzip.decompress(body) if self.headers.get("content-encoding") == "gzip" else body
            data: dict[str, Any] = {}
            if "graphql" in self.path:
                asked = json.loads(body)
                operation = re.search(r"(?:query|mutation)\s+(\w+)", asked["query"])
                heard.append((operation[1] if operation else "", asked.get("variables") or {}))
                data = {"data": answer(*heard[-1], address)}
                if heard[-1][0] == "ArtifactMembershipByName" and artifacts != "known":
                    data = {"data": {"project": {"artifactCollectionMembership": None}}}
                    stopped.wait(30 if artifacts == "silent" else 0)
            else:
                heard.append((self.path, body))
            text = json.dumps(data).encode()
            with contextlib.suppress(OSError):  # gone while it waited
                self.send_response(200)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

        do_GET = do_PUT = do_POST

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
    server.handle_error = lambda *_: None  # type: ignore[method-assign]  # a client that hangs up is no news
    address = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield address, heard
    finally:
        stopped.set()
        server.shutdown()
        server.server_close()
