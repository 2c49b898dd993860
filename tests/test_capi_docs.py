"""The documents: what they link to, name and list is there."""

import re
from pathlib import Path
from urllib.parse import unquote

try:
    from odoo.tests import BaseCase
except ImportError:
    from unittest import TestCase as BaseCase

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
CONTRIBUTING = ROOT / "CONTRIBUTING.md"
DOCUMENTS = [README, CONTRIBUTING, *sorted((ROOT / "docs").glob("*.md"))]
# What names are looked for in, but for this file, which has them by heart.
FOLDERS = ("capi", "controllers", "data", "dev", "models", "tests", "views", "wizards")

_FENCE = re.compile(r"^ *```.*?^ *```", re.M | re.S)
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_CODE = re.compile(r"`([^`\n]+)`")
_HEADING = re.compile(r"^#+ (.+)$", re.M)
_PATH = re.compile(r"(?:[\w.-]+/)+(?:[\w-]+\.(?:py|js|xml|html|md|pot))?|[\w.-]+\.md")
# What is ours by its looks: nobody else begins or shouts a name like that.
_NAME = re.compile(r"_\w+|[A-Z][A-Z_]{3,}|[A-Z][a-z]+(?:[A-Z][a-z]+)+|[a-z]+_[a-z_]+")
_COMMAND = re.compile(r"\bmake ([a-z][a-z-]*)")
_EDGE = re.compile(r"^ +(\w+) --> (\w+)$", re.M)
_NODE = re.compile(r'^ +(\w+)\["([\w/]+\.py)"\]$', re.M)


def read(path):
    return path.read_text(encoding="utf-8")


def prose(path):
    """Return a document without its blocks of code."""
    return _FENCE.sub("", read(path))


def anchors(path):
    """Return what a link to this document can name after the #, as GitHub makes it."""
    found = set()
    for heading in _HEADING.findall(prose(path)):
        kept = re.sub(r"[^\w\- ]", "", heading.lower().replace("`", ""))
        found.add(kept.strip().replace(" ", "-"))
    return found


def links(path):
    """Return the relative links of a document: target and what follows the #."""
    targets = (link for link in _LINK.findall(prose(path)) if ":" not in link)
    return [link.partition("#")[::2] for link in targets]


def sources():
    """Return the text of each file of our code, by its path."""
    paths = (path for folder in FOLDERS for path in (ROOT / folder).rglob("*.*"))
    return {
        path.relative_to(ROOT).as_posix(): read(path)
        for path in paths
        if path.suffix in (".py", ".xml") and path.name != Path(__file__).name
    }


def is_in(name, text):
    return bool(re.search(rf"\b{name}\b", text))


class TestLinks(BaseCase):
    def test_each_link_leads_to_a_file_and_a_heading_that_there_are(self):
        for document in DOCUMENTS:
            for target, anchor in links(document):
                path = document.parent / unquote(target) if target else document
                with self.subTest(document.name, target=target, anchor=anchor):
                    self.assertTrue(path.exists())
                    if anchor:
                        self.assertIn(anchor, anchors(path))

    def test_no_document_has_two_headings_that_a_link_cannot_tell_apart(self):
        for document in DOCUMENTS:
            with self.subTest(document.name):
                count = len(_HEADING.findall(prose(document)))
                self.assertEqual(len(anchors(document)), count)

    def test_the_readme_leads_to_each_document(self):
        found = {target for target, _anchor in links(README)}
        for document in DOCUMENTS[1:]:
            with self.subTest(document.name):
                self.assertIn(document.relative_to(ROOT).as_posix(), found)


class TestReadme(BaseCase):
    def test_it_is_a_door_and_not_the_house(self):
        self.assertLess(len(read(README).splitlines()), 150)

    def test_the_two_commands_are_on_its_first_screen(self):
        start = read(README).splitlines()[:20]
        for command in ("make demo", "make test"):
            with self.subTest(command):
                self.assertTrue([line for line in start if line.startswith(command)])


class TestNames(BaseCase):
    def test_each_file_that_is_named_exists(self):
        for document in DOCUMENTS:
            for name in _CODE.findall(prose(document)):
                is_ours = _PATH.fullmatch(name) and not name.startswith((".", "~"))
                if is_ours and "meta_capi/" not in name:
                    with self.subTest(document.name, file=name):
                        self.assertTrue((ROOT / name).exists())

    def test_each_name_of_the_code_that_contributing_tells_is_in_the_code(self):
        code = "\n".join(sources().values())
        for name in set(_CODE.findall(prose(CONTRIBUTING))):
            if _NAME.fullmatch(name):
                with self.subTest(name):
                    self.assertTrue(is_in(name, code))

    def test_each_method_that_can_be_overridden_is_in_the_code(self):
        code = "\n".join(sources().values())
        names = set(re.findall(r"_meta_capi_\w+", read(ROOT / "docs/developer.md")))
        self.assertGreater(len(names), 10)
        for name in names:
            with self.subTest(name):
                self.assertTrue(is_in(f"def {name}", code))

    def test_each_name_that_a_recipe_puts_into_a_file_is_in_that_file(self):
        """`NAME` in `file`, or `NAME` in a step that begins: In `file`."""
        code = sources()
        recipes = prose(CONTRIBUTING).partition("\n## Recipes\n")[2]
        recipes = recipes.partition("\n## Conventions\n")[0]
        told = re.findall(r"`(\w+)` (?:in|of)\s+`([\w/]+\.py)`", recipes)
        for path, step in re.findall(
            r"^\d\. In `([\w/]+\.py)`: (.*?)(?=^\d\. |^#)", recipes, re.M | re.S
        ):
            names = filter(_NAME.fullmatch, _CODE.findall(step))
            elsewhere = {name for name, _path in told}
            told += [(name, path) for name in names if name not in elsewhere]
        self.assertGreater(len(told), 15)
        for name, path in told:
            with self.subTest(name, path=path):
                self.assertTrue(is_in(name, code[path]))

    def test_each_command_is_one(self):
        commands = set(re.findall(r"^([a-z-]+):", read(ROOT / "Makefile"), re.M))
        for document in DOCUMENTS:
            found = "\n".join(
                _CODE.findall(read(document)) + _FENCE.findall(read(document))
            )
            for command in _COMMAND.findall(found):
                with self.subTest(document.name, command=command):
                    self.assertIn(command, commands)


class TestPicture(BaseCase):
    """The picture of what calls what."""

    def calls(self, caller, called, code):
        """Tell whether a file calls another: by import, by model, or by a record."""
        text, target = code[caller], code[called]
        stem = Path(called).stem
        folder = "capi." if called.startswith("capi/") else ""
        if re.search(rf"from \.+(?:{folder})?(?:\w+\.)*{stem} import", text):
            return True
        models = re.findall(r'^    _(?:name|inherit) = "([\w.]+)"', target, re.M)
        if any(
            f')["{model}"]' in text or f'env["{model}"]' in text for model in models
        ):
            return True
        methods = re.findall(r"def (_meta_capi_\w+)\(", target)
        return any(f"origin.{method}(" in text for method in methods)

    def test_each_arrow_is_a_call_in_the_code(self):
        code, text = sources(), read(CONTRIBUTING)
        nodes = dict(_NODE.findall(text))
        edges = _EDGE.findall(text)
        self.assertGreater(len(edges), 30)
        for caller, called in edges:
            with self.subTest(caller=caller, called=called):
                self.assertTrue(self.calls(nodes[caller], nodes[called], code))

    def test_each_file_of_it_is_at_an_arrow(self):
        text = read(CONTRIBUTING)
        ends = {end for edge in _EDGE.findall(text) for end in edge}
        self.assertEqual(ends, set(dict(_NODE.findall(text))))

    def test_no_call_of_a_controller_lacks_its_arrow(self):
        code, text = sources(), read(CONTRIBUTING)
        nodes = dict(_NODE.findall(text))
        for caller, path in nodes.items():
            for called, target in nodes.items():
                if path.startswith("controllers/") and self.calls(path, target, code):
                    with self.subTest(caller=caller, called=called):
                        self.assertIn((caller, called), _EDGE.findall(text))
