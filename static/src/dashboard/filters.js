/** @odoo-module **/

import { browser } from "@web/core/browser/browser";

/** What is chosen on the dashboard, and its place in the URL. */

const DEFAULTS = { days: 7, website_id: false, pixel: false, event_name: "Purchase" };
const NAMES = {
    days: "days",
    website_id: "website",
    pixel: "pixel",
    event_name: "event",
};

/** Return what was chosen when the page was left, or what the URL says. */
export function readFilters(props) {
    if (props.state && props.state.filters) {
        return { ...props.state.filters };
    }
    // Until Odoo 17 it is behind the #.
    const { search, hash } = browser.location;
    const given = new URLSearchParams(`${search.slice(1)}&${hash.slice(1)}`);
    const filters = { ...DEFAULTS };
    for (const key in NAMES) {
        const value = given.get(NAMES[key]);
        if (value) {
            filters[key] = key === "event_name" ? value : Number(value) || false;
        }
    }
    return filters;
}

/** Keep what is chosen in the URL, and for whoever comes back by the breadcrumbs. */
export function writeFilters(component, filters) {
    const state = {};
    for (const key in NAMES) {
        const isDefault = filters[key] === DEFAULTS[key];
        state[NAMES[key]] = isDefault ? undefined : filters[key];
    }
    if (component.props.updateActionState) {
        component.props.updateActionState(state);
    } else {
        // Until Odoo 17.
        component.env.services.router.pushState(state);
    }
}
