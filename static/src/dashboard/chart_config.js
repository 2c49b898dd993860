/** @odoo-module **/

import { localization } from "@web/core/l10n/localization";

/** Bootstrap's name of a colour, by what is shown in it. */
const COLORS = {
    sent: "success",
    waiting: "info",
    pending: "info",
    failed: "danger",
    missing: "warning",
    cancelled: "muted",
    explained: "muted",
    not_due: "primary",
    before: "body",
    median: "primary",
    slowest: "warning",
};
const FALLBACKS = ["primary", "success", "warning", "danger", "info", "secondary"];

/** Return the colour that text of this class has here, in the light or in the dark. */
function colorOf(name) {
    const probe = document.createElement("span");
    probe.className = `text-${name}`;
    document.body.append(probe);
    const { color } = getComputedStyle(probe);
    probe.remove();
    return color;
}

/** Return the colour of the lines between the parts of a page. */
function lineColor() {
    const probe = document.createElement("span");
    probe.className = "border";
    document.body.append(probe);
    const color = getComputedStyle(probe).borderTopColor;
    probe.remove();
    return color;
}

function makeDatasets(kind, series) {
    return series.map(({ key, label, values }, index) => {
        const color = colorOf(COLORS[key] || FALLBACKS[index % FALLBACKS.length]);
        return {
            label,
            data: values,
            backgroundColor: color,
            borderColor: color,
            borderWidth: kind === "line" ? 2 : 0,
            pointRadius: 3,
            pointHitRadius: 12,
            maxBarThickness: 40,
        };
    });
}

function makeScales(kind, isLogarithmic, format, max) {
    const color = colorOf("muted");
    const rtl = localization.direction === "rtl";
    const isBar = kind === "bar";
    return {
        x: {
            stacked: isBar,
            reverse: rtl,
            offset: true,
            grid: { display: false },
            ticks: { color, maxRotation: 0, autoSkipPadding: 12 },
        },
        y: {
            stacked: isBar,
            position: rtl ? "right" : "left",
            type: isLogarithmic ? "logarithmic" : "linear",
            beginAtZero: !isLogarithmic,
            max,
            border: { display: false },
            grid: { color: lineColor() },
            ticks: { color, precision: 0, maxTicksLimit: 6, callback: format },
        },
    };
}

/**
 * Return what Chart.js draws the series by.
 *
 * @param {Object} chart
 * @param {"bar"|"line"} chart.kind bars are stacked
 * @param {string[]} chart.labels of the slices
 * @param {string[]} chart.titles of the slices, for who points at one
 * @param {Object[]} chart.series with `key`, `label`, `values` and perhaps `texts`
 * @param {(seriesIndex: number, index: number) => void} chart.onPick
 */
export function makeConfig({
    kind,
    labels,
    titles,
    series,
    isLogarithmic,
    max,
    format,
    onPick,
}) {
    const rtl = localization.direction === "rtl";
    return {
        type: kind,
        data: { labels, datasets: makeDatasets(kind, series) },
        options: {
            animation: false,
            maintainAspectRatio: false,
            interaction: { mode: "index", intersect: false },
            onHover: (ev, elements) => {
                ev.native.target.style.cursor = elements.length ? "pointer" : "";
            },
            onClick: (ev, elements, chart) => {
                const picked = chart.getElementsAtEventForMode(
                    ev.native,
                    "nearest",
                    { intersect: kind === "bar" },
                    true
                );
                if (picked.length) {
                    onPick(picked[0].datasetIndex, picked[0].index);
                }
            },
            scales: makeScales(kind, isLogarithmic, (value) => format(value), max),
            plugins: {
                legend: {
                    rtl,
                    position: "bottom",
                    labels: { color: colorOf("muted"), boxWidth: 12 },
                },
                tooltip: {
                    rtl,
                    filter: ({ raw }) => Boolean(raw),
                    callbacks: {
                        title: ([item]) => (item ? titles[item.dataIndex] : ""),
                        label: ({ datasetIndex, dataIndex, raw }) => {
                            const { label, texts } = series[datasetIndex];
                            return ` ${label}: ${texts ? texts[dataIndex] : format(raw)}`;
                        },
                    },
                },
            },
        },
    };
}

/** Return a number of seconds as short as an axis wants it. */
export function formatSeconds(seconds) {
    const units = [
        ["day", 86400],
        ["hour", 3600],
        ["minute", 60],
        ["second", 1],
    ];
    const [unit, size] = units.find(([, each]) => seconds >= each) || ["second", 1];
    const value = Math.round((10 * seconds) / size) / 10;
    const options = { style: "unit", unit, unitDisplay: "narrow" };
    try {
        const language = localization.code.replace(/[_@]/g, "-");
        return new Intl.NumberFormat(language, options).format(value);
    } catch {
        // A language that the browser does not know.
        return new Intl.NumberFormat(undefined, options).format(value);
    }
}
