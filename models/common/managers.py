from odoo import _
from odoo.exceptions import AccessError
from odoo.tools import plaintext2html

MANAGER = "ih_meta_conversions_api.group_meta_capi_manager"


class Managers:
    """Who manages the events for Meta: may act on them, and is told of trouble."""

    def __init__(self, env):
        self.env = env

    def check(self):
        """Refuse what only managers may do.

        :raise AccessError: the user is none
        """
        if not (self.env.su or self.env.user.has_group(MANAGER)):
            raise AccessError(
                _("Only managers of the Meta Conversions API may do this.")
            )

    def notify(self, pixel, summary, note, activity_type, deadline=None):
        """Leave one activity with every manager; it goes away with its cause."""
        users = self.env["res.users"]
        # Since Odoo 19 a user's own groups and the implied ones are two fields.
        groups = "all_group_ids" if "all_group_ids" in users._fields else "groups_id"
        # Where somebody deleted the type, any other has to do.
        kinds = self.env["mail.activity.type"]
        kind = self.activity_type(activity_type) or kinds.search([], limit=1)
        for user in users.search([(groups, "in", self.env.ref(MANAGER).ids)]):
            # quick_update: a notice in Odoo; an e-mail would leave this transaction.
            quick = pixel.with_context(mail_activity_quick_update=True)
            quick.activity_schedule(
                activity_type_id=kind.id,
                date_deadline=deadline,
                user_id=user.id,
                summary=summary,
                # In Meta's words, perhaps: a text, whatever is in it.
                note=plaintext2html(note),
            )

    def unlink_activities(self, pixels, activity_type):
        """Take away our activities of a type, whoever they are for."""
        self.activities(pixels, activity_type).unlink()

    def activities(self, pixels, activity_type):
        """Return our activities of a type; a person's own are none of ours."""
        kind = self.activity_type(activity_type)
        return pixels.sudo().activity_ids.filtered(
            lambda activity: (
                kind and activity.activity_type_id == kind and activity.automated
            )
        )

    def activity_type(self, xml_id):
        """Return the type of an activity; none where somebody deleted it."""
        kind = self.env.ref(xml_id, raise_if_not_found=False)
        return kind or self.env["mail.activity.type"]
