"""Tell by a key what was told by a sentence, and mark what is ours."""

from odoo import SUPERUSER_ID, api
from odoo.tools.translate import code_translations

from odoo.addons.ih_meta_conversions_api.capi.graph_errors import classify

_MODULE = "ih_meta_conversions_api"
# Rows that are locked at once: each slice is committed, so that no shop waits for all.
_SLICE = 10_000
# What was noted on cancelled events, in the language of whoever was there.
_SENTENCES = {
    "no_consent": "The visitor has not consented to optional cookies.",
    "consent_withdrawn": "The visitor has withdrawn the consent to optional cookies.",
    "objection": "The customer objects to events for Meta.",
    "no_browser": "No browser made this document, and the settings exclude such.",
    "internal_user": "The customer is an internal user.",
    "excluded_tag": "The customer has the tag %s.",
    "nothing_to_pay": "There is nothing to pay.",
    "test_payment": "It was paid through a payment provider in test mode.",
    "deleted": "The customer was deleted.",
    "anonymised": "The customer was anonymised.",
    "cancelled_by_hand": "Cancelled by %s.",
}


def migrate(cr, version):
    if not version:
        return
    env = api.Environment(cr, SUPERUSER_ID, {})
    _name_troubles(env)
    _mark_notices_of_stops(env)
    cr.commit()  # pylint: disable=invalid-commit
    patterns = [
        (cause, pattern)
        for cause, sentence in _SENTENCES.items()
        for pattern in _patterns(env, sentence)
    ]
    cr.execute("SELECT min(id), max(id) FROM meta_capi_event")
    first, last = cr.fetchone()
    if first is None:
        return
    cr.commit()  # pylint: disable=invalid-commit
    for start in range(first, last + 1, _SLICE):
        # A delivery may write to these rows meanwhile, and must not end the update.
        cr.execute("SET TRANSACTION ISOLATION LEVEL READ COMMITTED")
        _name_refusals(cr, patterns, start)
        # The ids that are made of a record are digests; nobody else's are.
        cr.execute(
            """
            UPDATE meta_capi_event SET happens_once = true
             WHERE id >= %s AND id < %s AND res_id IS NOT NULL
               AND happens_once IS NULL AND event_id ~ '^[0-9a-f]{64}$'
            """,
            (start, start + _SLICE),
        )
        cr.commit()  # pylint: disable=invalid-commit


def _name_troubles(env):
    """Keep with each pixel why it is stopped, and that managers know."""
    config = env["meta.capi.config"]
    pixels = env["meta.capi.pixel"].with_context(active_test=False)
    for pixel in pixels.search([("trouble", "=", False)]):
        trouble = pixel.failing_since and "meta_down"
        if pixel.state == "stopped" and pixel.error_code:
            trouble = classify(pixel.error_code, pixel.error_subcode)[1]
        elif pixel.state == "stopped":
            has_token = config._access_token(pixel.pixel_id)
            trouble = "setting" if has_token else "no_token"
        if trouble:
            pixel.write({"trouble": trouble, "stopped_told_at": pixel.stopped_at})
    env.flush_all()


def _mark_notices_of_stops(env):
    """Give the notices of stops a type of their own: they had the one for any warning."""
    warning = env.ref("mail.mail_activity_data_warning", raise_if_not_found=False)
    if warning:
        # Those that are done, too: since 19.0 they are kept as archived.
        env["mail.activity"].with_context(active_test=False).search(
            [
                ("res_model", "=", "meta.capi.pixel"),
                ("activity_type_id", "=", warning.id),
                ("automated", "=", True),
            ]
        ).activity_type_id = env.ref(f"{_MODULE}.mail_activity_type_stopped")
        env.flush_all()


def _patterns(env, sentence):
    """Return the sentence in each language, in the form that LIKE wants."""
    said = {sentence}
    for code, _name in env["res.lang"].get_installed():
        translations = code_translations.get_python_translations(_MODULE, code)
        said.add(translations.get(sentence, sentence))
    return [text.replace("_", r"\_").replace("%s", "%") for text in said]


def _name_refusals(cr, patterns, start):
    for cause, pattern in patterns:
        cr.execute(
            """
            UPDATE meta_capi_event SET cause = %s
             WHERE id >= %s AND id < %s AND state = 'cancelled'
               AND cause = 'cancelled' AND error_message LIKE %s
            """,
            (cause, start, start + _SLICE, pattern),
        )
