# ruff: noqa: E501
"""Make sekft/data/shipped/tinystories.txt: short stories of our own in the format of TinyStories-Instruct, the same every time."""

import random
import re
import sys
from pathlib import Path

FILE = Path(__file__).resolve().parents[1] / "sekft" / "data" / "shipped" / "tinystories.txt"
STORIES = 480
GIRLS = ["Ada", "Bea", "Cora", "Dora", "Elsa", "Fay", "Gwen", "Hilda", "Ida", "Jill", "Kate", "Lena"]
BOYS = ["Abel", "Bart", "Carl", "Dirk", "Emil", "Finn", "Gus", "Hugo", "Igor", "Jens", "Karl", "Leo"]
THINGS = ["kite", "ball", "drum", "boat", "lamp", "bell", "cart", "whistle", "puppet", "scarf", "bucket", "ladder"]
COLOURS = ["red", "blue", "green", "yellow", "brown", "silver"]
PLACES = ["garden", "meadow", "harbor", "barn", "forest", "market", "orchard", "beach"]
ANIMALS = ["duck", "goat", "fox", "hen", "mouse", "rabbit", "owl", "pony"]
HELPERS = ["mother", "father", "grandmother", "uncle", "neighbor", "teacher"]
WEATHER = ["sunny", "windy", "cloudy", "cool", "warm", "quiet"]

# title: (features, words the story should use, summary, story); {slot} is filled, [a|b] is one of the alternatives
PLOTS = {
    "lost": (
        "Dialogue",
        "thing animal place",
        "{hero} lost a {colour} {thing} in the {place}, and a {animal} helped to find it.",
        "[One {weather} morning|On a {weather} day], {hero} took a {colour} {thing} to the {place}. [{He} played until noon.|{He} played and sang.] "
        "Then {he} sat down to eat, and when {he} looked up, the {thing} was gone. \"Where is my {thing}?\" asked {hero}. "
        "A {animal} came out of the [grass|bushes]. It walked to an old tree, and {hero} went after it. [Behind|Under] the tree lay the {thing}. "
        "\"Thank you!\" said {hero}, and gave the {animal} a piece of bread. They went home [together|side by side].",
    ),
    "share": (
        "Dialogue, MoralValue",
        "thing share friend",
        "{hero} did not want to share a {colour} {thing} with {friend}, but found that it is more fun together.",
        "{hero} had a new {colour} {thing}. {friend}, a friend, came to the {place} and wanted to try it. \"No,\" said {hero}, \"it is mine.\" "
        "{friend} sat down [by the wall|under a tree] and was sad. {hero} played alone, but it was [no fun|dull]. "
        "After a while {hero} went to {friend} and said, \"Let us share it.\" [They laughed all afternoon.|They played until the sun went down.] "
        "{hero} learned that a thing is worth more when you share it.",
    ),
    "storm": (
        "Conflict",
        "storm thing {helper}",
        "{hero} was caught by a storm in the {place}, and the {helper} came with a lantern.",
        "{hero} liked to go to the {place} with a {thing}. One {weather} evening the sky turned black and a storm came. "
        "[The wind pulled at the trees.|The rain was cold and loud.] {hero} crept into an empty [hut|shed] and held the {thing} tight. "
        "{He} counted to a hundred, and then again. At last a light moved between the trees. It was the {helper} with a lantern. "
        "[They walked home hand in hand.|They ran home through the rain.] There was hot soup, and {hero} slept well.",
    ),
    "gone": (
        "BadEnding",
        "thing river {animal}",
        "{hero} left a {colour} {thing} by the river, and the water took it away.",
        "{hero} had a {colour} {thing} and took it everywhere. On a {weather} day {he} went to the river near the {place}. "
        "There was a {animal} on the other side, and {hero} wanted to see it. {He} put the {thing} down [on a stone|in the sand] and ran to the bridge. "
        "The water rose and rose. When {hero} came back, the {thing} was gone. {He} [looked and looked|searched until dark], but the river was fast. "
        "{hero} went home with empty hands and cried.",
    ),
    "truth": (
        "Dialogue, MoralValue",
        "thing broke truth",
        "{hero} broke the {thing} of the {helper}, told the truth, and helped to mend it.",
        "The {helper} of {hero} had an old {colour} {thing}. {hero} was not allowed to touch it, but {he} did, and it broke. "
        "[{He} hid it under the bed.|{He} pushed it behind a box.] That night {hero} could not sleep. In the morning {he} went to the {helper}. "
        "\"I broke it,\" said {hero}. \"I am sorry.\" The {helper} was [quiet for a while|sad at first], and then smiled. "
        "They mended the {thing} with glue and string. {hero} learned that it is better to tell the truth.",
    ),
    "practice": (
        "MoralValue",
        "try thing fall",
        "{hero} wanted to climb the wall of the {place}, fell again and again, and got to the top in the end.",
        "Behind the {place} stood a high wall. {hero} wanted to see what was on the other side. The first day {he} had to try three times, and {he} did fall three times. "
        "[A {animal} watched and said nothing.|{friend} laughed at {him}.] The next day {hero} tried again and came a little higher. "
        "{He} put a {thing} against the wall and stood on it, and that helped. On the fifth day {hero} sat on top of the wall and could see [the sea|the whole town]. "
        "{hero} learned that you must fall a few times before you stand.",
    ),
    "seed": (
        "Foreshadowing, MoralValue",
        "seed wait {animal}",
        "{hero} planted a seed, had to wait a long time, and then a flower grew that was taller than {him}.",
        "The {helper} gave {hero} a seed. \"Put it in the ground and wait,\" said the {helper}. {hero} planted it in the {place} and gave it water. "
        "The next day there was nothing. [A {animal} sat on the spot as if it knew something.|A {animal} looked at the spot for a long time.] "
        "{hero} wanted to dig the seed up, but {he} did not. [Weeks went by.|The days were long.] Then something green came up. "
        "In summer there was a {colour} flower, taller than {hero}. {hero} learned that good things come to those who wait.",
    ),
    "warned": (
        "Dialogue, BadEnding, MoralValue",
        "ice listen thing",
        "{hero} did not listen to the {helper}, went on the ice, and lost a {colour} {thing}.",
        "It was winter, and the pond near the {place} was white. \"Do not go on the ice,\" said the {helper}. But {hero} did not listen. "
        "{He} took the {colour} {thing} and walked out, one step and one more. [The ice made a sound.|There was a crack.] {hero} ran back as fast as {he} could, "
        "but the {thing} slid into the dark water. [Nobody could get it out.|It never came up again.] {hero} stood there, cold and sad. "
        "{hero} learned too late that it is wise to listen.",
    ),
    "shy": (
        "Dialogue, Twist",
        "{animal} afraid thing",
        "{hero} was afraid of a sound in the {place}, but it was only a {animal} that was afraid, too.",
        "Every night {hero} heard a sound from the {place}. [It went tap, tap, tap.|It was like a small cough.] {hero} was afraid and took a {thing} to bed. "
        "\"I will go and look,\" said {friend}, but did not go. So {hero} took a lamp and went alone. The sound came from a {colour} box. "
        "{hero} opened it, and out came a small {animal}. It was just as afraid as {he} was. {hero} gave it milk and a [blanket|basket]. "
        "From then on the only sound at night was a {animal} that slept.",
    ),
}  # fmt: skip


def story(number: int) -> str:
    """The record with this number."""
    rng = random.Random(f"story/{number}")
    features, required, summary, text = PLOTS[list(PLOTS)[number % len(PLOTS)]]
    girl = rng.random() < 0.5
    hero = rng.choice(GIRLS if girl else BOYS)
    slots = {
        "hero": hero,
        "friend": rng.choice([name for name in (*GIRLS, *BOYS) if name != hero]),
        "he": "she" if girl else "he",
        "He": "She" if girl else "He",
        "him": "her" if girl else "him",
        "thing": rng.choice(THINGS),
        "colour": rng.choice(COLOURS),
        "place": rng.choice(PLACES),
        "animal": rng.choice(ANIMALS),
        "helper": rng.choice(HELPERS),
        "weather": rng.choice(WEATHER),
    }
    chosen = re.sub(r"\[([^\]]*)\]", lambda match: rng.choice(match[1].split("|")), text)
    written = _articles(chosen.format(**slots))
    words = [slots.get(word, word) for word in required.format(**slots).split()]
    fields = [
        f"Features: {features}",
        f"Words: {', '.join(words)}",
        f"Summary: {_articles(summary.format(**slots))}",
        f"Random sentence: {rng.choice(_plain(written))}",
    ]
    fields = fields[: rng.choice((3, 4))]  # upstream, not every record has every field
    rng.shuffle(fields)
    return "\n".join([*fields, "Story: ", "", written, "<|endoftext|>", ""])


def _articles(text: str) -> str:
    return re.sub(r"\b([Aa]) (?=[aeiou])", r"\1n ", text)


def _plain(text: str) -> list[str]:
    return [sentence for sentence in re.split(r"(?<=[.!?]) (?=[A-Z])", text) if '"' not in sentence]


if __name__ == "__main__":
    Path(sys.argv[1] if sys.argv[1:] else FILE).write_text("".join(map(story, range(STORIES))), encoding="utf-8")
