from odoo.tests import tagged

from ..models.apps.app_model import AppModel
from .common import MetaCapiCase


@tagged("post_install", "-at_install", "apps")
class TestApps(MetaCapiCase):
    """What the models of apps are taught that are not depended on."""

    def test_each_class_has_joined_its_model_once_and_before_base(self):
        for joining in AppModel.__subclasses__():
            model = self.env[joining._meta_capi_joins]
            with self.subTest(model._name):
                order = type(model).__mro__
                self.assertEqual(order.count(joining), 1)
                self.assertLess(
                    order.index(joining), order.index(self.registry["base"])
                )

    def test_one_that_is_to_see_what_the_app_itself_does_has_joined_in_front(self):
        in_front = [
            joining
            for joining in AppModel.__subclasses__()
            if joining._meta_capi_is_in_front
        ]
        self.assertTrue(in_front)
        for joining in AppModel.__subclasses__():
            order = type(self.env[joining._meta_capi_joins]).__mro__
            with self.subTest(joining.__name__):
                self.assertEqual(order[1] is joining, joining in in_front)

    def test_it_stays_when_the_models_are_set_up_anew(self):
        # Odoo 19 has another name for it.
        set_up = getattr(self.registry, "_setup_models__", None)
        (set_up or self.registry.setup_models)(self.env.cr)
        self.test_each_class_has_joined_its_model_once_and_before_base()
