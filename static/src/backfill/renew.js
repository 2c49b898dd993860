/** @odoo-module **/

import { Component, onMounted, onWillUnmount, xml } from "@odoo/owl";
import { browser } from "@web/core/browser/browser";
import { registry } from "@web/core/registry";
import { standardWidgetProps } from "@web/views/widgets/standard_widget_props";

const RENEW_EVERY = 3 * 1000;
const AT_WORK = ["counting", "sending"];

/** Read the form's record anew while jobs are at work on it, and somebody looks. */
export class Renew extends Component {
    setup() {
        onMounted(() => {
            this.timer = browser.setInterval(() => this.renew(), RENEW_EVERY);
        });
        onWillUnmount(() => browser.clearInterval(this.timer));
    }

    async renew() {
        const { record } = this.props;
        const isSeen = document.visibilityState === "visible";
        if (this.isLoading || !isSeen || !AT_WORK.includes(record.data.state)) {
            return;
        }
        this.isLoading = true;
        try {
            await record.load();
        } catch {
            // The next time will tell; nobody has asked for this one.
        } finally {
            this.isLoading = false;
        }
    }
}

Renew.template = xml`<span class="d-none" />`;
Renew.props = { ...standardWidgetProps };

registry.category("view_widgets").add("meta_capi_renew", { component: Renew });
