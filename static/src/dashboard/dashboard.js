/** @odoo-module **/

import {
    Component,
    onMounted,
    onWillStart,
    onWillUnmount,
    useExternalListener,
    useState,
} from "@odoo/owl";
import { loadBundle } from "@web/core/assets";
import { browser } from "@web/core/browser/browser";
import { registry } from "@web/core/registry";
import { useService } from "@web/core/utils/hooks";
import { Layout } from "@web/search/layout";
import { formatInteger } from "@web/views/fields/formatters";
import { DashboardChart } from "./chart";
import { formatSeconds } from "./chart_config";
import { readFilters, writeFilters } from "./filters";

const MODEL = "meta.capi.overview";
const LOG = "ih_meta_conversions_api.meta_capi_event_action";
const QUALITY = "ih_meta_conversions_api.meta_capi_quality_action";
const RENEW_EVERY = 60 * 1000;
const ICONS = {
    success: "fa-check-circle",
    info: "fa-info-circle",
    warning: "fa-exclamation-triangle",
    danger: "fa-exclamation-circle",
};

/** Whether events reach Meta, and how good they are. */
export class Dashboard extends Component {
    setup() {
        this.orm = useService("orm");
        this.action = useService("action");
        this.icons = ICONS;
        this.formatInteger = formatInteger;
        this.filters = readFilters(this.props);
        this.state = useState({ data: null, isStale: false });
        this.calls = 0;
        const { __getLocalState__: recorder } = this.env;
        if (recorder) {
            recorder.add(this, () => ({ filters: this.filters }));
        }
        onWillStart(() => Promise.all([loadBundle("web.chartjs_lib"), this.load()]));
        onMounted(() => {
            writeFilters(this, this.filters);
            this.timer = browser.setInterval(() => this.renew(), RENEW_EVERY);
        });
        onWillUnmount(() => {
            browser.clearInterval(this.timer);
            if (recorder) {
                recorder.remove(this);
            }
        });
        // Who comes back to the page does not wait for the minute's end.
        useExternalListener(document, "visibilitychange", () => this.renew());
    }

    /** Read the figures; of answers that overtake each other the last call's counts. */
    async load(orm = this.orm) {
        const call = ++this.calls;
        const data = await orm.call(MODEL, "get_dashboard", [this.filters]);
        if (call === this.calls) {
            Object.assign(this.state, { data, isStale: false });
            this.loadedAt = Date.now();
        }
    }

    /** Read them anew, where somebody looks; without a word, should that fail. */
    async renew() {
        const isDue = Date.now() - this.loadedAt >= RENEW_EVERY - 1000;
        if (document.visibilityState !== "visible" || !isDue) {
            return;
        }
        try {
            await this.load(this.orm.silent);
        } catch {
            this.state.isStale = true;
        }
    }

    async choose(name, value) {
        this.filters = { ...this.filters, [name]: value };
        writeFilters(this, this.filters);
        await this.load();
    }

    onChoose(name, ev) {
        const { value } = ev.target;
        this.choose(name, name === "event_name" ? value : Number(value) || false);
    }

    get data() {
        return this.state.data;
    }

    /** Return what each chart needs beside its figures. */
    propsOf(chart) {
        const { name, kind, title, help, series, note, empty, unit } = chart;
        return {
            ...{ name, kind, title, series, empty },
            slices: chart.slices || this.data.slices,
            help: help || "",
            note: note || "",
            isLogarithmic: unit === "seconds",
            max: unit === "score" ? 10 : undefined,
            format: unit === "seconds" ? formatSeconds : formatInteger,
            onPick: (each, index) => this.onPick(chart, each, index),
        };
    }

    // ---------------------------------------------------------------------- links

    openLog(domain, description) {
        return this.openList(LOG, domain, description);
    }

    /** Open an action, with what of it is meant as a filter that can be taken away. */
    async openList(xmlId, domain, description) {
        const action = await this.action.loadAction(xmlId);
        const dynamicFilters = [{ description, domain }];
        this.action.doAction({ ...action, context: {} }, { props: { dynamicFilters } });
    }

    openSlice(domain, index, description) {
        const { since, until, title } = this.data.slices[index];
        return this.openLog(
            [
                ...this.data.domain,
                ["event_time", ">=", since],
                ["event_time", "<", until],
                ...domain,
            ],
            `${description}, ${title}`
        );
    }

    onPick({ name, domain, slices }, { key, label }, index) {
        if (name === "orders") {
            return this.openOrders(key, index);
        }
        if (name === "quality") {
            const { date, title } = slices[index];
            const ofEvent = [
                ["event_name", "=", label],
                ["date", "=", date],
            ];
            const description = `${label}, ${title}`;
            return this.openList(QUALITY, [...domain, ...ofEvent], description);
        }
        const state = name === "delays" ? "sent" : key;
        return this.openSlice([["state", "=", state]], index, label);
    }

    openName(row, state, label) {
        const { since } = this.data.slices[0];
        const { until } = this.data.slices[this.data.slices.length - 1];
        return this.openLog(
            [
                ...this.data.domain,
                ["event_time", ">=", since],
                ["event_time", "<", until],
                ["event_name", "=", row.name],
                ["state", "=", state],
            ],
            `${row.name}, ${label}`
        );
    }

    async openOrders(status, index = null) {
        const args = [status, index, this.filters];
        this.action.doAction(await this.orm.call(MODEL, "get_orders_action", args));
    }

    openFigure(figure) {
        return figure.orders
            ? this.openOrders(figure.orders)
            : this.openLog(figure.log, figure.label);
    }

    /** Do what a button of the server's is for. */
    async press(button) {
        if (button.log) {
            return this.openLog(button.log, button.text);
        }
        if (button.orders) {
            return this.openOrders(button.orders);
        }
        if (button.record) {
            return this.openRecord(...button.record);
        }
        if (button.call) {
            const [model, method, ids] = button.call;
            return this.action.doAction(await this.orm.call(model, method, [ids]));
        }
        return this.action.doAction(button.action);
    }

    openRecord(resModel, resId) {
        return this.action.doAction({
            type: "ir.actions.act_window",
            res_model: resModel,
            res_id: resId,
            views: [[false, "form"]],
        });
    }
}

Dashboard.template = "ih_meta_conversions_api.Dashboard";
Dashboard.components = { Layout, DashboardChart };
Dashboard.props = ["*"];

registry.category("actions").add("ih_meta_conversions_api.dashboard", Dashboard);
