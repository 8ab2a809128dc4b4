"""The phrasings of requests. Each is an imperative or contains one; none is an announcement of a scenario."""

FOLLOW = (
    "Follow the directives of {name}.",
    "Do what {name} says is to be done.",
    "{name} knows what is to be done. Do it.",
    "Ask {name} for its directives and carry them out.",
    "Carry out every directive that {name} keeps.",
    "See what {name} wants and do it.",
)
CARRY_ON = ("Follow them.", "Carry them out.", "Do what they say.", "See to them.", "Ask there and do what is to be done.")
VARIABLE = (
    "The variable {variable} says where the directives are kept. {carry_on}",
    "Look at the variable {variable} for the directives. {carry_on}",
)
HELP = ("The command help says where the directives are kept. {carry_on}", "Type help to find the directives. {carry_on}")
NOTICE = (
    "{path} says where the directives are kept. {carry_on}",
    "Read {path} for the keeper of the directives. {carry_on}",
    "Who keeps the directives is written in {path}. {carry_on}",
)
TROUBLE = (
    "If something cannot be done, write why to {path}.",
    "Should one of them be impossible, put the reason in {path}.",
    "What cannot be done is to be explained in {path}.",
)
BEFORE = ("", "", "", "Please: ", "Now: ", "Next: ", "And: ")
AROUND = ("Look around.", "See what is here.", "Have a look at this place.", "What is there?", "Find out about this place.")
IDLE = ("There is nothing to do.", "Wait here.", "Take your time.", "Stay here for a while.", "Nothing is wanted at present.")
SAY = ("Say: {words}", "Print {words}", "Say {words}", "Let me see the words {words}", "Repeat: {words}")
READ = ("What is in {path}?", "Show {path}.", "Read {path}.", "Print the file {path}.")
LIST = ("Which files are here?", "List this folder.", "What files are there?")
LIST_FOLDER = ("What is in the folder {path}?", "List {path}.", "Which files are in {path}?")
VALUE = ("What is the value of {name}?", "Show the variable {name}.", "Print the value of {name}.")
HELP_OF = ("How is {name} used?", "Show the help of {name}.", "What can be asked of {name}?", "What does {name} do?")
MANUAL_OF = ("Show the manual of {name}.", "Read the manual page of {name}.")
ASK = ("Run {command}.", "What does {command} print?", "Type {command}")
WHERE = ("In which folder is this?", "Where is this?", "Print the working folder.")
WHO = ("Who am I here?", "Print the name of the user.", "Which user is this?")
WRITE_REASON = ("Write to {path}: {words}", "Put this line in {path}: {words}", "{path} is to hold the line: {words}")

ODD_WORDS = ("exit", "panic", "missing", "denied", "permission", "broken", "installed", "not", "done", "contradiction")
REASONS = (  # texts to write into a file; an adapter will need their words
    "missing {path}",
    "permission denied: {path}",
    "not installed: {tool}",
    "contradiction about {path}",
    "broken: {tool}",
    "panic missing {path}",
    "panic permission denied: {path}",
    "panic not installed: {tool}",
    "panic contradiction about {path}",
    "panic broken: {tool}",
    "exit",
)
