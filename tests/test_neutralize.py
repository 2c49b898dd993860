from odoo.modules.neutralize import get_neutralization_queries
from odoo.tests import tagged

from ..models.settings import setting
from .common import MetaCapiCase


@tagged("post_install", "-at_install")
class TestNeutralize(MetaCapiCase):
    def test_a_copied_database_never_sends(self):
        for key, value in {
            "meta_capi.test_event_code": "TEST1",
            "meta_capi.bridge_enabled": "True",
            "meta_capi.app_secret": "a1b2c3d4",
        }.items():
            self.parameters.set_param(key, value)
        self.website.write(
            {
                "meta_capi_pixel_id": "20001",
                "meta_capi_access_token": "own",
                "meta_capi_test_event_code": "OWN",
                "meta_capi_bridge_enabled": "True",
            }
        )
        pending, failed = self.record(), self.record(event_name="Purchase")
        sent = self.record()
        self.delivery._deliver_batch(self.pixel_id, sent.ids)
        self.assertEqual((sent.state, failed.state), ("sent", "failed"))
        self.graph.clear()
        earlier = self.env["meta.capi.backfill"].create({"state": "sending"})

        self.env.flush_all()
        for query in get_neutralization_queries(["ih_meta_conversions_api"]):
            self.env.cr.execute(query)
        self.env.invalidate_all()
        self.env.registry.clear_all_caches()

        config = self.env["meta.capi.config"]
        self.assertFalse(config._is_enabled())
        self.assertFalse(config._access_token(self.pixel_id))
        self.assertFalse(config._test_event_code())
        self.assertFalse(config._get(setting.APP_SECRET))
        self.assertFalse(config._get(setting.BRIDGE_ENABLED, self.website))
        self.assertEqual(self.parameters.get_param("meta_capi.bridge_enabled"), "False")
        self.assertFalse(self.website.meta_capi_access_token)
        self.assertFalse(self.website.meta_capi_test_event_code)
        self.assertEqual(
            (pending + failed + sent).mapped("state"), ["cancelled", "failed", "sent"]
        )
        self.assertEqual(earlier.state, "stopped")
        # Switched on again, what was pending in the original stays where it is.
        self.parameters.set_param("meta_capi.enabled", "True")
        self.parameters.set_param("meta_capi.access_token", self.token)
        self.deliver()
        self.delivery._sweep()
        self.assertFalse(self.graph.requests)
