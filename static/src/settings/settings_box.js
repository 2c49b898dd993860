/** @odoo-module **/

import { Component, onMounted, useEffect, useRef, useState, xml } from "@odoo/owl";
import { browser } from "@web/core/browser/browser";
import { registry } from "@web/core/registry";
import { standardWidgetProps } from "@web/views/widgets/standard_widget_props";

/** Shows our setting, of which parts are folded and which is far down a long page. */
export class SettingsBox extends Component {
    setup() {
        this.root = useRef("root");
        this.search = useState(this.env.searchState);
        this.unfolded = [];
        onMounted(() => {
            if (this.props.record.context.meta_capi_focus) {
                // The page scrolls to its top once all that is in it is mounted.
                browser.setTimeout(() => this.box?.scrollIntoView());
            }
        });
        useEffect(
            (searched) => this.unfold(searched.toLowerCase()),
            () => [this.search.value]
        );
    }

    get box() {
        return this.root.el?.closest(".o_setting_box");
    }

    /** Open the parts in which something is found, until nothing is searched for. */
    unfold(searched) {
        for (const part of this.unfolded) {
            part.open = false;
        }
        const parts = searched ? [...this.box.querySelectorAll("details:not([open])")] : [];
        this.unfolded = parts.filter((part) =>
            part.textContent.toLowerCase().includes(searched)
        );
        for (const part of this.unfolded) {
            part.open = true;
        }
    }
}

SettingsBox.template = xml`<span t-ref="root" class="d-none"/>`;
SettingsBox.props = { ...standardWidgetProps };

registry.category("view_widgets").add("meta_capi_settings_box", { component: SettingsBox });
