import re
from collections import Counter
from pathlib import Path

import polib
from lxml import etree

from odoo.tests import BaseCase, tagged

from ..models.outbox.cause_words import CauseWords
from .common import MetaCapiCase

I18N = Path(__file__).parent.parent / "i18n"
_PLACEHOLDER = re.compile(r"%\(\w+\)[a-z]|%[a-z%]|\{\w*\}")
_TAG = re.compile(r"</?\w+[^>]*>")


def read_catalogues():
    """Return the files of translations, by the language that each is named after."""
    return {path.stem: polib.pofile(str(path)) for path in sorted(I18N.glob("*.po"))}


class TestCatalogues(BaseCase):
    """The files of translations, as files.

    A change may leave its terms untranslated: ``make release-check`` wants them all.
    """

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        template = polib.pofile(str(I18N / "ih_meta_conversions_api.pot"))
        cls.terms = {entry.msgid for entry in template}
        cls.catalogues = read_catalogues()

    def test_each_language_has_a_file_that_can_be_read(self):
        self.assertGreater(len(self.terms), 600)
        self.assertLessEqual(
            {"ar", "de", "es", "fr", "nl", "pt_BR"}, set(self.catalogues)
        )
        for language, catalogue in self.catalogues.items():
            with self.subTest(language):
                self.assertEqual(catalogue.metadata["Language"], language)
                self.assertTrue(catalogue.translated_entries())

    def test_each_translation_is_of_a_term_that_there_is(self):
        for language, catalogue in self.catalogues.items():
            translated = {entry.msgid for entry in catalogue.translated_entries()}
            with self.subTest(language):
                self.assertFalse(translated - self.terms, "`make pot` puts it right")

    def test_a_translation_keeps_placeholders_tags_and_the_spaces_around_it(self):
        for language, catalogue in self.catalogues.items():
            for entry in catalogue.translated_entries():
                with self.subTest(language, term=entry.msgid):
                    self.assertEqual(_shape(entry.msgstr), _shape(entry.msgid))

    def test_every_term_is_translated(self):
        lacking = {
            language: len(
                self.terms - {entry.msgid for entry in catalogue.translated_entries()}
            )
            for language, catalogue in self.catalogues.items()
        }
        if any(lacking.values()):
            counts = (f"{name} {count}" for name, count in lacking.items() if count)
            self.skipTest(f"`make release-check` lists what lacks: {', '.join(counts)}")


@tagged("post_install", "-at_install")
class TestLanguages(MetaCapiCase):
    """The translations, in Odoo."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        catalogues = read_catalogues()
        languages = cls.env["res.lang"].with_context(active_test=False)
        cls.catalogues = {
            language.code: catalogues[language.iso_code]
            for language in languages.search([("iso_code", "in", list(catalogues))])
        }
        for language in cls.catalogues:
            languages._activate_lang(language)
        module = cls.env["ir.module.module"].search(
            [("name", "=", "ih_meta_conversions_api")]
        )
        module._update_translations(list(cls.catalogues))

    def test_odoo_knows_each_language(self):
        self.assertEqual(len(self.catalogues), len(read_catalogues()))

    def test_what_an_admin_reads_is_in_their_language(self):
        def read(language):
            env = self.env(context={"lang": language})
            event = env["meta.capi.event"]
            form = etree.fromstring(event.get_view(view_type="form")["arch"])
            return (
                env.ref("ih_meta_conversions_api.meta_capi_event_menu").name,
                event.fields_get(["state"])["state"]["string"],
                dict(event._fields["state"]._description_selection(env))["pending"],
                CauseWords(env).cures()["token_expired"],
                *form.xpath("//page/@string"),
            )

        english = read("en_US")
        count = 0
        for language, catalogue in self.catalogues.items():
            known = {
                entry.msgid: entry.msgstr for entry in catalogue.translated_entries()
            }
            with self.subTest(language):
                expected = tuple(known.get(term) or term for term in english)
                self.assertEqual(read(language), expected)
                count += expected != english
        self.assertGreaterEqual(count, 6)

    def test_each_view_is_valid_in_each_language(self):
        views = self.env["ir.ui.view"].search(
            [("model", "=like", "meta.capi.%"), ("type", "!=", "qweb")]
        )
        self.assertGreater(len(views), 10)
        for language in self.catalogues:
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
