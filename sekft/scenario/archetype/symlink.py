"""symlink: make a symbolic link to a file."""

from sekft.scenario.checker import leads
from sekft.scenario.draw import Draw
from sekft.scenario.task import Blocker, Task, stopped

FAMILY = "files"
PHRASINGS = (
    "Make {link} a symbolic link to {source}.",
    "A symbolic link {link} is wanted that leads to {source}.",
    "{link} is to be a symbolic link. It leads to {source}.",
    "Let the symbolic link {link} point to {source}.",
)


def task(draw: Draw, stop: Blocker) -> Task:
    """Blocked by `denied` only: a link to a missing file can be made."""
    source, text = draw.source(), draw.text()
    link = draw.locked() if stop else draw.name()
    blocker, panic = stopped(stop and Blocker.denied, link)
    return Task(
        directives=(draw.phrase(PHRASINGS, link=link, source=source),),
        solve=(f"ln -s {source} {link}",),
        before={source: text},
        after={link: None} if stop else {},
        spare=() if stop else (link,),
        checks=() if stop else (leads(link, source),),
        blocker=blocker,
        panic=panic,
    )
