import re
from collections import Counter
from pathlib import Path

import polib
from lxml import etree

from odoo.tests import BaseCase, tagged

from .common import MetaCapiCase

I18N = Path(__file__).parent.parent / "i18n"
LANGUAGES = ("ar_001", "de_DE", "es_ES", "fr_FR", "nl_NL", "pt_BR")
_PLACEHOLDER = re.compile(r"%\(\w+\)s|%s|%%")
_TAG = re.compile(r"</?\w+[^>]*>")


class TestCatalogues(BaseCase):
    """The files of translations, as files."""

    def test_each_language_has_all_terms_and_no_others(self):
        template = polib.pofile(str(I18N / "ih_meta_conversions_api.pot"))
        terms = {entry.msgid for entry in template}
        self.assertGreater(len(terms), 600)
        catalogues = sorted(I18N.glob("*.po"))
        self.assertEqual(
            [path.stem for path in catalogues], ["ar", "de", "es", "fr", "nl", "pt_BR"]
        )
        for path in catalogues:
            with self.subTest(path.stem):
                translated = polib.pofile(str(path)).translated_entries()
                self.assertEqual({entry.msgid for entry in translated}, terms)

    def test_a_translation_keeps_placeholders_tags_and_the_spaces_around_it(self):
        for path in I18N.glob("*.po"):
            for entry in polib.pofile(str(path)):
                with self.subTest(path.stem, term=entry.msgid):
                    self.assertEqual(_shape(entry.msgstr), _shape(entry.msgid))


@tagged("post_install", "-at_install")
class TestLanguages(MetaCapiCase):
    """The translations, in Odoo."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        for language in LANGUAGES:
            cls.env["res.lang"]._activate_lang(language)
        module = cls.env["ir.module.module"].search(
            [("name", "=", "ih_meta_conversions_api")]
        )
        module._update_translations(LANGUAGES)

    def test_what_an_admin_reads_is_in_their_language(self):
        def read(language):
            env = self.env(context={"lang": language})
            event = env["meta.capi.event"]
            return (
                env.ref("ih_meta_conversions_api.meta_capi_event_menu").name,
                event.fields_get(["state"])["state"]["string"],
                dict(event._fields["state"]._description_selection(env))["pending"],
                env["meta.capi.cause"]._cures()["token_expired"],
                event.get_view(view_type="form")["arch"],
            )

        english = read("en_US")
        for language in LANGUAGES:
            with self.subTest(language):
                for original, translation in zip(english, read(language), strict=True):
                    self.assertNotEqual(original, translation)

    def test_each_view_is_valid_in_each_language(self):
        views = self.env["ir.ui.view"].search(
            [("model", "=like", "meta.capi.%"), ("type", "!=", "qweb")]
        )
        self.assertGreater(len(views), 10)
        for language in LANGUAGES:
            for view in views.with_context(lang=language):
                with self.subTest(language, view=view.name):
                    etree.fromstring(view.get_combined_arch())


def _shape(text):
    """Return what a translation must have in common with its term."""
    return (
        Counter(_PLACEHOLDER.findall(text)),
        Counter(_TAG.findall(text)),
        text[: len(text) - len(text.lstrip())],
        text[len(text.rstrip()) :],
    )
